// SPDX-License-Identifier: Apache-2.0
#pragma once
// Context: what the parts of the store share. Internal to firmware/store.

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "firmware/store/database.h"
#include "firmware/store/names.h"
#include "firmware/store/sealing.h"

namespace welcome::store {

inline constexpr std::size_t kCollections = 6;  // of the feed

class Context {
 public:
  // Throws DbError.
  Context(std::string path, const std::string& vfs, std::span<const std::uint8_t, 32> box_key);

  const std::string path;
  Sealer sealer;
  Database db;
  Names names{db};

  // Whose row it is and what seals it. No id: about nobody.
  struct Owner {
    std::optional<std::int64_t> id;
    const Secret* key;  // until the next call
  };
  // Makes the customer when there is none. Nothing for a person who was forgotten.
  std::optional<Owner> find_owner(const CustomerId& customer);
  // The same; throws DbError (refused) for a person who was forgotten.
  Owner owner_of(const CustomerId& customer);
  // The customer's row, or 0, which no row has.
  std::int64_t id_of(const CustomerId& customer);
  // The key of a customer's row, if there is one that opens; of nobody for 0.
  const Secret* key_of(std::int64_t id);
  // Keys of everybody, for reading a whole table.
  using AllKeys = std::unordered_map<std::int64_t, Secret>;
  AllKeys all_keys();
  // After customers were deleted, or a transaction that made some failed.
  void forget_keys();

  // `customer` as read from the column; 0 (NULL) = about nobody. Nothing when it does not open.
  std::optional<std::string> unseal(std::int64_t customer, std::string_view label,
                                    std::string_view sealed);

  bool is_erased(const CustomerHash& customer);

  // Outbox rows that are on their way, and the number of the next one.
  struct OnItsWay {
    std::uint8_t link;
    std::int64_t customer;  // 0 = about nobody
  };
  std::unordered_map<std::int64_t, OnItsWay> handed_out;
  std::int64_t next_outbox_row = 1;
  // For each link a place in the order in which rows leave: all before it are on their way, so that
  // looking for the next ones need not pass by them.
  struct Place {
    std::int64_t priority = 0;
    std::int64_t row = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  std::array<Place, 2> first_waiting;
  // Rows that do not open, until Outbox::Writer::drop_damaged().
  std::set<std::int64_t> damaged_outbox;
  // What the wrapped keys were of erasures whose bytes may still be in a file, by request.
  std::map<std::string, std::string> unscrubbed;
  // The trail's newest entry, from the first that a transaction adds to its end.
  struct TrailEnd {
    std::int64_t seq = 0;
    std::string hash;
  };
  std::optional<TrailEnd> trail_end;
  // The part of each collection (replica.cpp), once it was read.
  std::array<std::optional<std::int64_t>, kCollections> parts;
  // Rows may be gone whose customer has nothing else: maintain() looks for keys of nobody.
  bool keys_to_collect = true;
  std::int64_t collect_cursor = 0;

 private:
  // A keyed hash is random already.
  struct FirstBytes {
    std::size_t operator()(const CustomerHash& hash) const noexcept {
      std::size_t out = 0;
      std::memcpy(&out, hash.data(), sizeof out);
      return out;
    }
  };
  std::int64_t id_of(const CustomerHash& hash);
  Owner remember(const CustomerHash& hash, std::int64_t id, const Secret& key);
  // The collections of a snapshot mostly name customers in one order. Whose row follows that of the
  // one before is found without the index of hashes, each of which is on a page of its own.
  std::optional<Owner> row_after_last(const CustomerHash& hash);

  std::unordered_map<CustomerHash, std::int64_t, FirstBytes> ids_;
  std::unordered_map<std::int64_t, Secret> keys_;
  std::int64_t last_owner_ = 0;  // the row that find_owner() gave last
};

// Adds to the audit trail, within a write. Throws DbError. (audit.cpp)
// A transaction's last entry is signed at its end, and with it all before.
void append_audit(Context& context, WallTime at, std::string_view kind, std::string_view actor,
                  std::string_view subject, std::string_view detail);
void sign_audit(Context& context);

inline std::string label_of(std::string_view table, std::string_view id) {
  std::string label(table);
  label.push_back('\0');
  label.append(id);
  return label;
}

// Of a row of `state`; `key` is its hash.
inline std::string state_label(std::int64_t kind, std::string_view key) {
  std::string label = label_of("state", key);
  label.push_back(static_cast<char>(kind));
  return label;
}

// Of every brief: it has its key inside.
inline constexpr std::string_view kBriefLabel = "brief";

}  // namespace welcome::store
