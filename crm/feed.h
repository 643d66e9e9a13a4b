// SPDX-License-Identifier: Apache-2.0
#pragma once
// The CRM's half of the feed (docs/protocol.md): every fact that goes to the boxes, with the
// sequence number of its last change, and the messages that bring a box up to date.
//
// Changes happen inside the caller's Transaction. One thread.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "contract/contract.h"
#include "contract/topics.h"
#include "crm/database.h"
#include "crm/places.h"
#include "crm/regions.h"
#include "crm/scope.h"
#include "crm/sight.h"

namespace welcome::crm {

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

// Where every box stands in every collection, read with few statements. A value: what changes
// later is not in it.
class Heads {
 public:
  explicit Heads(Database& db);

  // How a box is sent a collection: as everybody, or in a scope of its own.
  Scope scope_of(Collection collection, const BoxKey& box) const;
  const Position& of(Collection collection, const Scope& scope);
  const Position& of(Collection collection, const BoxKey& box) {
    return of(collection, scope_of(collection, box));
  }

 private:
  std::map<Collection, Position> whole_;
  std::map<Collection, std::unordered_map<std::string, Place>> parts_;
  std::map<std::string, std::vector<Home>> homes_;        // of a region
  std::unordered_map<std::string, std::string> regions_;  // of a store
  bool on_sight_ = false, by_region_ = false;
  std::map<std::pair<Collection, Scope>, Position> known_;
};

class Feed {
 public:
  explicit Feed(Database& db) : db_(db), places_(db), sight_(db, places_), regions_(db) {}

  // Makes the collections that are missing, each with a new epoch.
  void create();

  // Returns false when nothing changed: an equal value gets no new number.
  bool put(Collection collection, const std::string& key, const std::string& customer,
           const std::string& value);
  bool remove(Collection collection, const std::string& key);
  // Who works in these stores: their boxes alone are sent it. Nothing: in all of them.
  bool put_staff(const std::string& staff, const Home& stores, const std::string& value);

  std::optional<Item> get(Collection collection, const std::string& key);  // live only
  // About whom the item is or was; empty: about nobody, or unknown.
  std::string owner(Collection collection, const std::string& key);
  std::vector<Item> of_customer(Collection collection, const std::string& customer);
  std::vector<Item> live(Collection collection, const Scope& scope = {});

  Position head(Collection collection, const Scope& scope = {});
  Heads heads() { return Heads(db_); }

  // ---- who is sent what ----
  Scope scope_of(Collection collection, const BoxKey& box);
  const Sight& sight() const { return sight_; }
  const Regions& regions() const { return regions_; }
  // Whether boxes have what is about customers of their region alone, and the profiles of those
  // alone that they have seen, and how long. A change is a new epoch of what it is about.
  struct Scopes {
    bool by_region = false;
    bool on_sight = false;
    std::int64_t keep_days = kKeepDays;
  };
  Scopes scopes() const { return {regions_.on(), sight_.on(), sight_.keep_days()}; }
  void set_scopes(const Scopes& scopes);
  // What is about this customer goes to the boxes of these regions, and leaves those of others.
  void set_home(const std::string& customer, const Home& home);
  void set_region(const std::string& store, const std::string& region);
  // Whether boxes of the store are sent what is about the customer.
  bool reaches(const std::string& store, const std::string& customer) const;
  // A box has seen somebody.
  void seen(const BoxKey& box, const std::string& customer, WallTime now);
  // Takes profiles from boxes where nobody has seen them for long. True: there may be more.
  bool let_sights_end(WallTime now, int at_most);
  // Forgets the deletions that every box of a region has carried out.
  void let_leavings_end();
  void confirmed(const BoxKey& box, Collection collection, const Position& have);
  // A box is admitted, perhaps again: what it had before its place was forgotten is old.
  void begin(const BoxKey& box);
  void forget(const BoxKey& box) { sight_.forget(box); }
  // Boxes of the store delete this key, which may be about somebody whom they are not sent.
  void recall(const std::string& store, Collection collection, const std::string& key,
              const std::string& customer);

  // From now on every box is told everything: nobody knows what they have.
  void new_epoch(Collection collection);

  // Forgets that these keys ever were. Boxes that are behind get a snapshot from now on.
  void purge_deleted(const std::string& customer);

  // Every item after `seq` in order of change, deletions included.
  std::vector<Item> since(Collection collection, std::int64_t seq, const Scope& scope = {});
  // About whom the items are that are there, or were deleted after `seq`.
  std::vector<std::string> customers(Collection collection, const Scope& scope, std::int64_t seq);
  // The oldest `seq` from which since() still tells everything.
  std::int64_t oldest(Collection collection, const Scope& scope = {});

 private:
  struct Stored {
    Item item;
    Home home;
  };
  std::optional<Stored> stored(Collection collection, const std::string& key);
  bool put_at(const Home& home, Collection collection, const std::string& key,
              const std::string& customer, const std::string& value);
  // Whether boxes are sent the collection by homes: now, or ever.
  bool by_homes(Collection collection) const;
  static bool may_be_by_homes(Collection collection);
  std::int64_t confirmed_by_all(Collection collection, const Home& home);
  // `now`: nothing: it is deleted.
  std::int64_t advance(Collection collection, const std::string& key,
                       const std::optional<Stored>& old, const std::optional<Home>& now);
  void move(Collection collection, const Stored& old, const Home& now, std::int64_t seq);
  bool rehome(Collection collection, const Stored& old, const Home& now);
  std::int64_t next_seq(Collection collection);
  void take_profile(const BoxKey& box, const std::string& customer);
  Place place(Collection collection, const Scope& scope);

  Database& db_;
  Places places_;
  Sight sight_;
  Regions regions_;
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
