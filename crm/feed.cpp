// SPDX-License-Identifier: Apache-2.0
#include "crm/feed.h"

#include "contract/contract.h"
#include "contract/digest.h"

namespace welcome::crm {
namespace {

std::vector<Item> to_items(const Rows& rows) {
  std::vector<Item> items;
  items.reserve(rows.size());
  for (const Row& row : rows) {
    items.push_back({row.text(0), row.text(1), row.integer(2), row.integer(3) != 0, row.text(4)});
  }
  return items;
}

}  // namespace

void Feed::create() {
  for (const Collection collection : contract::kAllCollections) {
    db_.execute(
        "INSERT INTO feed (collection, epoch, seq, oldest, digest) VALUES ($1, $2, 0, 0, $3) "
        "ON CONFLICT DO NOTHING",
        {name_of(collection), contract::new_uuid(), contract::Digest().hex()});
  }
}

// ---- items ----

std::optional<Feed::Stored> Feed::stored(Collection collection, const std::string& key) {
  const Rows rows = db_.query(
      "SELECT key, customer, seq, deleted, value, home FROM item WHERE collection = $1 AND "
      "key = $2",
      {name_of(collection), key});
  if (rows.empty()) return std::nullopt;
  return Stored{std::move(to_items(rows).front()), rows[0].text(5)};
}

std::int64_t Feed::advance(Collection collection, const std::string& key,
                           const std::optional<Stored>& old, const std::optional<Home>& now) {
  const Position before = head(collection);
  const std::int64_t seq = before.seq + 1;
  const std::int64_t old_live_seq = old && !old->item.deleted ? old->item.seq : 0;
  std::optional<contract::Digest> digest = contract::Digest::from_hex(before.digest);
  if (!digest) throw DatabaseError("the feed's digest is damaged");
  if (old_live_seq != 0) digest->toggle(key, static_cast<std::uint64_t>(old_live_seq));
  if (now) digest->toggle(key, static_cast<std::uint64_t>(seq));
  db_.execute("UPDATE feed SET seq = $2, digest = $3 WHERE collection = $1",
              {name_of(collection), seq, digest->hex()});
  if (!may_be_by_homes(collection)) return seq;
  const Places::Step step{key, old_live_seq, now ? seq : 0, seq};
  if (now && old && old->home != *now) {
    move(collection, *old, *now, seq);
  } else {
    places_.changed(collection, now ? *now : old->home, step);
  }
  if (collection == Collection::profiles) sight_.changed(step);
  return seq;
}

// What was deleted before it moved was deleted then, in the home where it was.
void Feed::move(Collection collection, const Stored& old, const Home& now, std::int64_t seq) {
  const Item& item = old.item;
  if (by_homes(collection)) {
    places_.left(collection, old.home, item.key, item.customer, item.deleted ? item.seq : seq);
    places_.came(collection, now, item.key);
  }
  if (!item.deleted) places_.changed(collection, old.home, {item.key, item.seq, 0, seq});
  places_.changed(collection, now, {item.key, 0, seq, seq});
}

// No box is sent homes yet: to all of them nothing has changed.
bool Feed::rehome(Collection collection, const Stored& old, const Home& now) {
  const Item& item = old.item;
  places_.changed(collection, old.home, {item.key, item.seq, 0, item.seq});
  places_.changed(collection, now, {item.key, 0, item.seq, item.seq});
  db_.execute("UPDATE item SET home = $3 WHERE collection = $1 AND key = $2",
              {name_of(collection), item.key, now});
  return false;
}

bool Feed::may_be_by_homes(Collection collection) {
  return contract::about_customers(collection) || collection == Collection::staff;
}

bool Feed::by_homes(Collection collection) const {
  return collection == Collection::staff || (may_be_by_homes(collection) && regions_.on());
}

bool Feed::put(Collection collection, const std::string& key, const std::string& customer,
               const std::string& value) {
  const Home home = contract::about_customers(collection) ? regions_.home_of(customer) : Home();
  return put_at(home, collection, key, customer, value);
}

bool Feed::put_staff(const std::string& staff, const Home& stores, const std::string& value) {
  regions_.note_stores(stores);
  return put_at(stores, Collection::staff, staff, "", value);
}

bool Feed::put_at(const Home& home, Collection collection, const std::string& key,
                  const std::string& customer, const std::string& value) {
  const auto old = stored(collection, key);
  if (old && !old->item.deleted && old->item.value == value && old->item.customer == customer) {
    if (old->home == home) return false;
    if (!by_homes(collection)) return rehome(collection, *old, home);
  }
  const std::int64_t seq = advance(collection, key, old, home);
  db_.execute(
      "INSERT INTO item (collection, key, customer, seq, deleted, value, home) "
      "VALUES ($1, $2, $3, $4, 0, $5, $6) ON CONFLICT (collection, key) DO UPDATE SET "
      "customer = excluded.customer, seq = excluded.seq, deleted = 0, value = excluded.value, "
      "home = excluded.home",
      {name_of(collection), key, customer, seq, value, home});
  return true;
}

bool Feed::remove(Collection collection, const std::string& key) {
  const auto old = stored(collection, key);
  if (!old || old->item.deleted) return false;
  const std::int64_t seq = advance(collection, key, old, std::nullopt);
  db_.execute(
      "UPDATE item SET seq = $3, deleted = 1, value = '' WHERE collection = $1 AND key = $2",
      {name_of(collection), key, seq});
  return true;
}

std::optional<Item> Feed::get(Collection collection, const std::string& key) {
  auto found = stored(collection, key);
  if (!found || found->item.deleted) return std::nullopt;
  return std::move(found->item);
}

std::string Feed::owner(Collection collection, const std::string& key) {
  const Rows rows = db_.query("SELECT customer FROM item WHERE collection = $1 AND key = $2",
                              {name_of(collection), key});
  return rows.empty() ? std::string() : rows[0].text(0);
}

std::vector<Item> Feed::of_customer(Collection collection, const std::string& customer) {
  return to_items(
      db_.query("SELECT key, customer, seq, deleted, value FROM item "
                "WHERE collection = $1 AND customer = $2 AND deleted = 0 "
                "ORDER BY key",
                {name_of(collection), customer}));
}

std::int64_t Feed::next_seq(Collection collection) {
  const std::int64_t seq = head(collection).seq + 1;
  db_.execute("UPDATE feed SET seq = $2 WHERE collection = $1", {name_of(collection), seq});
  return seq;
}

void Feed::new_epoch(Collection collection) {
  db_.execute("UPDATE feed SET epoch = $2 WHERE collection = $1",
              {name_of(collection), contract::new_uuid()});
  places_.new_epoch(collection);
}

void Feed::purge_deleted(const std::string& customer) {
  sight_.forget(customer);
  places_.purge(customer);
  for (const Collection collection : contract::kAllCollections) {
    const std::vector<Value> whose{name_of(collection), customer};
    const Rows homes = db_.query(
        "SELECT DISTINCT home FROM item WHERE collection = $1 AND customer = $2 AND deleted = 1",
        whose);
    if (homes.empty()) continue;
    db_.execute("DELETE FROM item WHERE collection = $1 AND customer = $2 AND deleted = 1", whose);
    db_.execute("UPDATE feed SET oldest = seq WHERE collection = $1", {name_of(collection)});
    for (const Row& row : homes) places_.cut(collection, row.text(0));
  }
}

// ---- what there is to tell ----

// "home" comes first: its regions are few, and each home is a range of the index.
std::vector<Item> Feed::live(Collection collection, const Scope& scope) {
  switch (scope.kind) {
    case Scope::Kind::box:
      return to_items(db_.query(
          "SELECT item.key, item.customer, item.seq, item.deleted, item.value FROM sight "
          "JOIN item ON item.collection = $1 AND item.key = sight.customer "
          "WHERE sight.store = $2 AND sight.box = $3 AND item.deleted = 0 ORDER BY item.seq",
          {name_of(collection), scope.box.first, scope.box.second}));
    case Scope::Kind::region:
    case Scope::Kind::store:
      return to_items(
          db_.query("SELECT item.key, item.customer, item.seq, item.deleted, item.value FROM home "
                    "CROSS JOIN item WHERE home.region IN ('', $2) AND item.collection = $1 AND "
                    "item.home = home.home AND item.deleted = 0 ORDER BY item.seq",
                    {name_of(collection), scope.region}));
    case Scope::Kind::all:
      break;
  }
  return to_items(
      db_.query("SELECT key, customer, seq, deleted, value FROM item "
                "WHERE collection = $1 AND deleted = 0 ORDER BY seq",
                {name_of(collection)}));
}

// What has left one home of a region may be in another one of it.
std::vector<Item> Feed::since(Collection collection, std::int64_t seq, const Scope& scope) {
  switch (scope.kind) {
    case Scope::Kind::box:
      return to_items(
          db_.query("SELECT item.key, item.customer, item.seq, item.deleted, item.value FROM sight "
                    "JOIN item ON item.collection = $1 AND item.key = sight.customer "
                    "WHERE sight.store = $2 AND sight.box = $3 AND item.seq > $4 "
                    "UNION ALL SELECT key, customer, seq, 1, '' FROM gone "
                    "WHERE collection = $1 AND part = $5 AND seq > $4 ORDER BY 3",
                    {name_of(collection), scope.box.first, scope.box.second, seq,
                     Sight::part_of(scope.box)}));
    case Scope::Kind::region:
    case Scope::Kind::store:
      return to_items(db_.query(
          "SELECT item.key, item.customer, item.seq, item.deleted, item.value FROM home "
          "CROSS JOIN item WHERE home.region IN ('', $2) AND item.collection = $1 AND "
          "item.home = home.home AND item.seq > $3 "
          "UNION ALL SELECT gone.key, gone.customer, gone.seq, 1, '' FROM home "
          "CROSS JOIN gone WHERE home.region IN ('', $2) AND gone.collection = $1 AND "
          "gone.part = home.home AND gone.seq > $3 AND NOT EXISTS (SELECT 1 FROM item AS now "
          "JOIN home AS its ON its.home = now.home WHERE now.collection = $1 AND "
          "now.key = gone.key AND its.region IN ('', $2)) ORDER BY 3",
          {name_of(collection), scope.region, seq}));
    case Scope::Kind::all:
      break;
  }
  return to_items(
      db_.query("SELECT key, customer, seq, deleted, value FROM item "
                "WHERE collection = $1 AND seq > $2 ORDER BY seq",
                {name_of(collection), seq}));
}

std::vector<std::string> Feed::customers(Collection collection, const Scope& scope,
                                         std::int64_t seq) {
  const auto rows = [&] {
    switch (scope.kind) {
      case Scope::Kind::box:
        return db_.query(
            "SELECT customer FROM sight WHERE store = $2 AND box = $3 UNION SELECT customer "
            "FROM gone WHERE collection = $1 AND part = $4 AND seq > $5",
            {name_of(collection), scope.box.first, scope.box.second, Sight::part_of(scope.box),
             seq});
      case Scope::Kind::region:
      case Scope::Kind::store:
        return db_.query(
            "SELECT item.customer FROM home CROSS JOIN item WHERE home.region IN ('', $2) AND "
            "item.collection = $1 AND item.home = home.home AND item.customer > '' AND "
            "(item.deleted = 0 OR item.seq > $3) UNION SELECT gone.customer FROM home CROSS JOIN "
            "gone WHERE home.region IN ('', $2) AND gone.collection = $1 AND "
            "gone.part = home.home AND gone.seq > $3",
            {name_of(collection), scope.region, seq});
      case Scope::Kind::all:
        break;
    }
    return db_.query(
        "SELECT DISTINCT customer FROM item WHERE collection = $1 AND customer > '' AND "
        "(deleted = 0 OR seq > $2)",
        {name_of(collection), seq});
  }();
  std::vector<std::string> out;
  out.reserve(rows.size());
  for (const Row& row : rows) out.push_back(row.text(0));
  return out;
}

}  // namespace welcome::crm
