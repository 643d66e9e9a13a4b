// SPDX-License-Identifier: Apache-2.0
#pragma once
// The CRM's half of the feed (docs/protocol.md): every fact that goes to the boxes, with the
// sequence number of its last change, and the messages that bring a box up to date.
//
// Changes happen inside the caller's Transaction. One thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/contract.h"
#include "contract/topics.h"
#include "crm/database.h"
#include "crm/sight.h"

namespace welcome::crm {

using contract::Collection;

struct Item {
  std::string key;
  std::string customer;  // empty: about nobody
  std::int64_t seq = 0;
  bool deleted = false;
  std::string value;  // JSON; empty when deleted
};

// What somebody has, or the CRM itself.
struct Position {
  std::string epoch;
  std::int64_t seq = 0;
  std::string digest;
  friend bool operator==(const Position&, const Position&) = default;
};

class Feed {
 public:
  explicit Feed(Database& db) : db_(db), sight_(db) {}

  // Makes the collections that are missing, each with a new epoch.
  void create();

  // Returns false when nothing changed: an equal value gets no new number.
  bool put(Collection collection, const std::string& key, const std::string& customer,
           const std::string& value);
  bool remove(Collection collection, const std::string& key);

  std::optional<Item> get(Collection collection, const std::string& key);  // live only
  // About whom the item is or was; empty: about nobody, or unknown.
  std::string owner(Collection collection, const std::string& key);
  std::vector<Item> of_customer(Collection collection, const std::string& customer);
  std::vector<Item> live(Collection collection, const Scope& scope = {});

  Position head(Collection collection, const Scope& scope = {});

  // ---- who is sent what ----
  // How a box is sent a collection: as everybody, or in a scope of its own.
  Scope scope_of(Collection collection, const BoxKey& box);
  const Sight& sight() const { return sight_; }
  // Whether boxes have the profiles of those alone that they have seen, and how long. A change of
  // that is a new epoch of the profiles.
  void set_on_sight(bool on, std::int64_t keep_days);
  // A box has seen somebody.
  void seen(const BoxKey& box, const std::string& customer, WallTime now);
  // Takes profiles from boxes where nobody has seen them for long. True: there may be more.
  bool let_sights_end(WallTime now, int at_most);
  void confirmed(const BoxKey& box, std::int64_t seq) { sight_.confirmed(box, seq); }
  void forget(const BoxKey& box) { sight_.forget(box); }

  // From now on every box is told everything: nobody knows what they have.
  void new_epoch(Collection collection);

  // Forgets that these keys ever were. Boxes that are behind get a snapshot from now on.
  void purge_deleted(const std::string& customer);

  // Every item after `seq` in order of change, deletions included.
  std::vector<Item> since(Collection collection, std::int64_t seq, const Scope& scope = {});
  // The oldest `seq` from which since() still tells everything.
  std::int64_t oldest(Collection collection);

 private:
  struct Change {
    std::string key;
    std::int64_t old_live_seq = 0;  // 0: there was no live item
    bool live = true;
  };
  std::int64_t advance(Collection collection, const Change& change);
  std::int64_t live_seq(Collection collection, const std::string& key);

  Database& db_;
  Sight sight_;
};

enum class Remedy : std::uint8_t { nothing, delta, snapshot };

// What a box that has `have` needs. `oldest` as in Feed.
Remedy remedy(const std::optional<Position>& have, const Position& head, std::int64_t oldest);

// How large the items of one batch are at most, in bytes of JSON: few messages, and none that keeps
// a box busy for long.
inline constexpr std::size_t kBatchBytes = 64 * 1024;
// What a batch's packet is more than its items: topic, properties, the members around them, the
// signature.
inline constexpr std::size_t kBatchFrame = 1536;

// The batches that bring a box from `from_seq` to the head; with no items it says "you are up to
// date, and I am alive". An item larger than max_bytes goes without its value.
std::vector<contract::FeedBatch> delta(Collection collection, const Position& head,
                                       std::int64_t from_seq, const std::vector<Item>& items,
                                       std::size_t max_bytes = kBatchBytes);
// The whole collection in parts; items are the live ones. At least one part.
std::vector<contract::FeedBatch> snapshot(Collection collection, const Position& head,
                                          const std::vector<Item>& items,
                                          std::size_t max_bytes = kBatchBytes);

}  // namespace welcome::crm
