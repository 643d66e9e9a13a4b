// SPDX-License-Identifier: Apache-2.0
#pragma once
// Names: which item a keyed hash stands for, in the table feed_name. Internal to firmware/store.
//
// A first snapshot brings hundreds of thousands in no order, and in the table each would change a
// page of its own. So they wait in memory, and go there in the order of the table, a few with each
// transaction. The items have their names, too: what waited when the plug was pulled is written at
// the next start.

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/store/database.h"
#include "firmware/store/sealing.h"

namespace welcome::store {

class Names {
 public:
  explicit Names(Database& db) : db_(db) {}

  // Whether an earlier run left names in the items alone; they are written.
  bool left_behind();
  void recover();

  std::optional<std::int64_t> find(std::int64_t part, std::string_view name);
  void for_each(std::int64_t part, const std::function<void(std::string_view name)>& fn);

  // Of a name that has no item yet. Waits if the transaction may be lost at a power cut.
  void put(std::int64_t part, const CustomerHash& name, std::int64_t item);
  void remove(std::int64_t part, std::string_view name);

  // Of a transaction: before it commits, once it has, and when it is rolled back.
  void settle();
  void committed() { undo_.clear(); }
  void rolled_back();

  bool waiting() const { return !waiting_.empty(); }
  // When there is time: some of those that wait, unless more are coming.
  void tidy();

 private:
  using Key = std::pair<std::int64_t, CustomerHash>;
  struct InTheTable {  // SQLite's order
    bool operator()(const Key& a, const Key& b) const {
      if (a.first != b.first) return a.first < b.first;
      return std::memcmp(a.second.data(), b.second.data(), a.second.size()) < 0;
    }
  };
  void set(const Key& key, std::optional<std::int64_t> item);
  void move(std::size_t count);
  void write(const Key& key, std::int64_t item);

  Database& db_;
  std::map<Key, std::int64_t, InTheTable> waiting_;
  Key next_;           // where moving goes on
  bool grew_ = false;  // since tidy()
  std::vector<std::pair<Key, std::optional<std::int64_t>>> undo_;
};

}  // namespace welcome::store
