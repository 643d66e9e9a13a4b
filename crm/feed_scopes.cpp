// SPDX-License-Identifier: Apache-2.0
// The part of Feed that decides which box is sent what, and where that stands.

#include <algorithm>
#include <array>
#include <sodium.h>

#include "contract/contract.h"
#include "core/hex.h"
#include "crm/feed.h"

namespace welcome::crm {
namespace {

Place place_from(const Row& row, std::size_t first) {
  Place out;
  out.seq = row.integer(first);
  out.oldest = row.integer(first + 1);
  out.digest = row.text(first + 2);
  return out;
}

// Each region has epochs of its own: what a box that was in another one has, says nothing here.
std::string epoch_in(const std::string& epoch, const std::string& region) {
  const std::string text = epoch + "/" + region;
  std::array<unsigned char, 16> out{};
  crypto_generichash(out.data(), out.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  return to_hex(out);
}

Position standing_at(const Position& whole, const Scope& scope, const Place& place) {
  const bool homes = scope.kind == Scope::Kind::region || scope.kind == Scope::Kind::store;
  return {homes ? epoch_in(whole.epoch, scope.region) : whole.epoch, place.seq, place.digest};
}

Scope scope_for(Collection collection, const BoxKey& box, bool on_sight, bool by_region,
                const std::string& region) {
  if (collection == Collection::staff) return Scope::of_store(box.first);
  if (!contract::about_customers(collection)) return {};
  if (on_sight && collection == Collection::profiles) return Scope::of_box(box);
  return by_region ? Scope::of_region(region) : Scope();
}

}  // namespace

// ---- where it stands ----

std::int64_t Feed::oldest(Collection collection, const Scope& scope) {
  if (scope.kind != Scope::Kind::all) return place(collection, scope).oldest;
  return db_.query("SELECT oldest FROM feed WHERE collection = $1", {name_of(collection)})
      .at(0)
      .integer(0);
}

Place Feed::place(Collection collection, const Scope& scope) {
  if (scope.kind == Scope::Kind::box) return places_.of(collection, Sight::part_of(scope.box));
  Place out;
  for (const Row& row : db_.query("SELECT place.seq, place.oldest, place.digest FROM home "
                                  "JOIN place ON place.collection = $1 AND place.part = home.home "
                                  "WHERE home.region IN ('', $2)",
                                  {name_of(collection), scope.region})) {
    out.add(place_from(row, 0));
  }
  return out;
}

Position Feed::head(Collection collection, const Scope& scope) {
  const Rows rows =
      db_.query("SELECT epoch, seq, digest FROM feed WHERE collection = $1", {name_of(collection)});
  if (rows.empty()) throw DatabaseError("the database has no feed: run `welcome-crm init` first");
  Position whole{rows[0].text(0), rows[0].integer(1), rows[0].text(2)};
  if (scope.kind == Scope::Kind::all) return whole;
  return standing_at(whole, scope, place(collection, scope));
}

Heads::Heads(Database& db) : on_sight_(Feed(db).sight().on()), by_region_(Regions(db).on()) {
  for (const Row& row : db.query("SELECT collection, epoch, seq, digest FROM feed")) {
    whole_[contract::collection_from_string(row.text(0)).value()] = {row.text(1), row.integer(2),
                                                                     row.text(3)};
  }
  const Rows places =
      on_sight_ || by_region_
          ? db.query("SELECT collection, part, seq, oldest, digest FROM place")
          : db.query(
                "SELECT collection, part, seq, oldest, digest FROM place WHERE collection = "
                "'staff'");
  for (const Row& row : places) {
    parts_[contract::collection_from_string(row.text(0)).value()][row.text(1)] = place_from(row, 2);
  }
  for (const Row& row : db.query("SELECT region, home FROM home")) {
    homes_[row.text(0)].push_back(row.text(1));
  }
  for (const Row& row : db.query("SELECT store, region FROM store_region")) {
    regions_[row.text(0)] = row.text(1);
  }
}

Scope Heads::scope_of(Collection collection, const BoxKey& box) const {
  const auto region = regions_.find(box.first);
  return scope_for(collection, box, on_sight_, by_region_,
                   region == regions_.end() ? std::string() : region->second);
}

const Position& Heads::of(Collection collection, const Scope& scope) {
  if (scope.kind == Scope::Kind::all) return whole_.at(collection);
  const auto [known, first] = known_.try_emplace({collection, scope});
  if (!first) return known->second;
  const auto& parts = parts_[collection];
  Place sum;
  const auto add = [&](const std::string& part) {
    if (const auto found = parts.find(part); found != parts.end()) sum.add(found->second);
  };
  if (scope.kind == Scope::Kind::box) {
    add(Sight::part_of(scope.box));
  } else {
    add(Home());
    if (!scope.region.empty()) {
      for (const Home& home : homes_[scope.region]) add(home);
    }
  }
  known->second = standing_at(whole_.at(collection), scope, sum);
  return known->second;
}

// ---- who is sent what ----

Scope Feed::scope_of(Collection collection, const BoxKey& box) {
  const bool by_region = contract::about_customers(collection) && regions_.on();
  return scope_for(collection, box, sight_.on(), by_region,
                   by_region ? regions_.of_store(box.first) : std::string());
}

// With regions from now on, boxes ask anew for the profiles of those that they see: some have left.
void Feed::set_scopes(const Scopes& scopes) {
  const bool regions_change = scopes.by_region != regions_.on();
  const bool sight_changes = scopes.on_sight != sight_.on();
  regions_.set(scopes.by_region);
  sight_.set(scopes.on_sight, scopes.keep_days);
  if (regions_change && scopes.by_region) sight_.forget_everybody();
  for (const Collection collection : contract::kAllCollections) {
    const bool profiles = collection == Collection::profiles;
    if ((regions_change && contract::about_customers(collection)) || (sight_changes && profiles)) {
      new_epoch(collection);
    }
  }
}

bool Feed::reaches(const std::string& store, const std::string& customer) const {
  return !regions_.on() || Regions::holds(regions_.home_of(customer), regions_.of_store(store));
}

// With regions in force all of it counts as changed, so that it comes after all that the boxes of a
// new region have.
void Feed::set_home(const std::string& customer, const Home& home) {
  if (regions_.home_of(customer) == home) return;
  regions_.put_home(customer, home);
  for (const Collection collection : contract::kAllCollections) {
    if (!contract::about_customers(collection)) continue;
    for (const Item& item : of_customer(collection, customer)) {
      put(collection, item.key, customer, item.value);
    }
  }
  if (!regions_.on()) return;
  for (const BoxKey& box : sight_.boxes_that_saw(customer)) {
    if (!reaches(box.first, customer)) take_profile(box, customer);
  }
}

void Feed::set_region(const std::string& store, const std::string& region) {
  if (regions_.of_store(store) == region) return;
  regions_.put_store(store, region);
  if (!regions_.on()) return;
  for (const Sight::Seen& one : sight_.seen_in(store)) {
    if (!reaches(store, one.customer)) take_profile(one.box, one.customer);
  }
}

void Feed::begin(const BoxKey& box) {
  if (!sight_.on()) return;
  places_.begin(Collection::profiles, Sight::part_of(box), head(Collection::profiles).seq);
}

// The profile counts as changed, so that it comes after all that the box has.
void Feed::seen(const BoxKey& box, const std::string& customer, WallTime now) {
  if (sight_.seen_again(box, customer, now)) return;
  const auto profile = stored(Collection::profiles, customer);
  if (!profile || profile->item.deleted || !reaches(box.first, customer)) return;
  const std::int64_t seq = advance(Collection::profiles, customer, profile, profile->home);
  db_.execute("UPDATE item SET seq = $3 WHERE collection = $1 AND key = $2",
              {name_of(Collection::profiles), customer, seq});
  sight_.add(box, customer, seq, now);
}

void Feed::take_profile(const BoxKey& box, const std::string& customer) {
  const auto profile = get(Collection::profiles, customer);
  sight_.remove(box, customer, profile ? profile->seq : 0, next_seq(Collection::profiles));
}

bool Feed::let_sights_end(WallTime now, int at_most) {
  if (!sight_.on()) return false;
  const auto old = sight_.old(now, at_most);
  for (const Sight::Seen& one : old) take_profile(one.box, one.customer);
  return old.size() >= static_cast<std::size_t>(at_most);
}

void Feed::confirmed(const BoxKey& box, Collection collection, const Position& have) {
  if (collection != Collection::profiles) return;
  const Scope scope = scope_of(collection, box);
  if (scope.kind != Scope::Kind::box || have.epoch != head(collection).epoch) return;
  places_.confirmed(collection, Sight::part_of(box), have.seq);
}

// How far every box is that has this home. One that was never here has nothing.
std::int64_t Feed::confirmed_by_all(Collection collection, const Home& home) {
  const Position whole = head(collection);
  const std::vector<Value> it{name_of(collection), home};
  const Rows boxes =
      collection == Collection::staff
          ? db_.query(
                "SELECT 'store/' || box.store, confirmed.epoch, confirmed.seq FROM home "
                "JOIN box ON (home.region = 'store/' || box.store OR home.region = '') "
                "AND box.state <> 'new' LEFT JOIN confirmed ON confirmed.store = box.store "
                "AND confirmed.box = box.box AND confirmed.collection = $1 WHERE home.home = $2",
                it)
          : db_.query(
                "SELECT store_region.region, confirmed.epoch, confirmed.seq FROM home "
                "JOIN store_region ON store_region.region = home.region OR home.region = '' "
                "JOIN box ON box.store = store_region.store AND box.state <> 'new' "
                "LEFT JOIN confirmed ON confirmed.store = box.store AND confirmed.box = box.box "
                "AND confirmed.collection = $1 WHERE home.home = $2",
                it);
  std::int64_t all = whole.seq;
  for (const Row& box : boxes) {
    const bool now = box.text(1) == epoch_in(whole.epoch, box.text(0));
    all = std::min(all, now ? box.integer(2) : std::int64_t{0});
  }
  return all;
}

// A home's deletions are carried out when every box that has it says so.
void Feed::let_leavings_end() {
  for (const Row& left : db_.query("SELECT DISTINCT collection, part FROM gone")) {
    const std::string part = left.text(1);
    const Collection collection = contract::collection_from_string(left.text(0)).value();
    if (!by_homes(collection) || part.find('/') != std::string::npos) continue;  // a box's own
    places_.confirmed(collection, part, confirmed_by_all(collection, part));
  }
  // Who works nowhere any more is not known by their id either.
  for (const Row& left : db_.query("SELECT key, home, seq FROM item WHERE collection = 'staff' "
                                   "AND deleted = 1")) {
    if (confirmed_by_all(Collection::staff, left.text(1)) < left.integer(2)) continue;
    places_.carried_out(Collection::staff, left.text(1), left.integer(2));
    db_.execute("DELETE FROM item WHERE collection = 'staff' AND key = $1", {left.text(0)});
  }
}

void Feed::recall(const std::string& store, Collection collection, const std::string& key,
                  const std::string& customer) {
  const std::string region = regions_.of_store(store);
  if (region.empty()) return;
  regions_.note(region);
  const std::int64_t seq = next_seq(collection);
  places_.left(collection, region, key, customer, seq);
  places_.changed(collection, region, {key, 0, 0, seq});
}

}  // namespace welcome::crm
