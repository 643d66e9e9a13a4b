// SPDX-License-Identifier: Apache-2.0
#pragma once
// Profiles on sight (docs/decisions/0192): a box is sent the profiles of those alone that it has
// seen, until they have not come for `keep_days`. So each box has its own place in that collection:
// the number of the last change that was one for it, and a digest of its own.
//
// Inside the caller's Transaction. One thread.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"
#include "crm/database.h"

namespace welcome::crm {

using BoxKey = std::pair<std::string, std::string>;  // store, box

// Whose profiles are meant: everybody's, or of those that this box has seen.
using Scope = std::optional<BoxKey>;

inline constexpr std::int64_t kKeepDays = 90;

class Sight {
 public:
  explicit Sight(Database& db) : db_(db) {}

  bool on() const;
  std::int64_t keep_days() const;
  void set(bool on, std::int64_t keep_days);

  struct Place {
    std::int64_t seq = 0;
    std::string digest;
  };
  Place place(const BoxKey& box) const;

  // The box has seen them before, and says so again.
  bool seen_again(const BoxKey& box, const std::string& customer, WallTime now);
  // From now on this item is one of the box's, or (`seq` is the deletion's) no more.
  void add(const BoxKey& box, const std::string& customer, std::int64_t seq, WallTime now);
  void remove(const BoxKey& box, const std::string& customer, std::int64_t live_seq,
              std::int64_t seq);
  // An item that boxes may have is another now; 0: it was not, or is not, there.
  void changed(const std::string& customer, std::int64_t old_live_seq, std::int64_t live_seq,
               std::int64_t seq);

  struct Old {
    BoxKey box;
    std::string customer;
  };
  std::vector<Old> old(WallTime now, int at_most) const;

  // The box says that it has come so far.
  void confirmed(const BoxKey& box, std::int64_t seq);
  void forget(const std::string& customer);
  void forget(const BoxKey& box);
  void new_epoch();  // whatever they have, they are told everything

 private:
  void save(const BoxKey& box, const Place& place);

  Database& db_;
};

}  // namespace welcome::crm
