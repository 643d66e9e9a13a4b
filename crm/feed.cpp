// SPDX-License-Identifier: Apache-2.0
#include "crm/feed.h"

#include <algorithm>

#include "contract/digest.h"

namespace welcome::crm {
namespace {

constexpr std::size_t kMaxBatchItems = 1000;

std::string name_of(Collection collection) { return std::string(contract::to_string(collection)); }

std::vector<Item> to_items(const Rows& rows) {
  std::vector<Item> items;
  items.reserve(rows.size());
  for (const Row& row : rows) {
    items.push_back({row.text(0), row.text(1), row.integer(2), row.integer(3) != 0, row.text(4)});
  }
  return items;
}

contract::FeedItem to_feed_item(const Item& item) {
  contract::FeedItem out;
  out.seq = static_cast<std::uint64_t>(item.seq);
  out.deleted = item.deleted;
  out.key = item.key;
  out.value = item.value;
  out.customer = CustomerId(item.customer);
  return out;
}

// {"key":…,"op":"delete","seq":…,"value":…}, and the comma. A key is JSON text of up to six bytes
// for each of its own.
constexpr std::size_t kItemFrame = 64;
std::size_t encoded_bytes(const Item& item) {
  const auto plain = [](unsigned char c) { return c >= 0x20 && c != '"' && c != '\\'; };
  const bool as_it_is = std::all_of(item.key.begin(), item.key.end(), plain);
  return item.value.size() + item.key.size() * (as_it_is ? 1 : 6) + kItemFrame;
}

// Splits without ever making an empty batch in the middle. An item that no message can carry goes
// without its value: the box sets it aside, says so, and comes further all the same.
std::vector<std::vector<contract::FeedItem>> split(const std::vector<Item>& items,
                                                   std::size_t max_bytes) {
  std::vector<std::vector<contract::FeedItem>> batches(1);
  std::size_t bytes = 0;
  for (const Item& item : items) {
    std::size_t size = encoded_bytes(item);
    const bool too_large = size > max_bytes;
    if (too_large) size -= item.value.size();
    if (!batches.back().empty() &&
        (bytes + size > max_bytes || batches.back().size() == kMaxBatchItems)) {
      batches.emplace_back();
      bytes = 0;
    }
    batches.back().push_back(to_feed_item(item));
    if (too_large) batches.back().back().value.clear();
    bytes += size;
  }
  return batches;
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

std::int64_t Feed::advance(Collection collection, const Change& change) {
  const Position before = head(collection);
  const std::int64_t seq = before.seq + 1;
  std::optional<contract::Digest> digest = contract::Digest::from_hex(before.digest);
  if (!digest) throw DatabaseError("the feed's digest is damaged");
  if (change.old_live_seq != 0) {
    digest->toggle(change.key, static_cast<std::uint64_t>(change.old_live_seq));
  }
  if (change.live) digest->toggle(change.key, static_cast<std::uint64_t>(seq));
  db_.execute("UPDATE feed SET seq = $2, digest = $3 WHERE collection = $1",
              {name_of(collection), seq, digest->hex()});
  if (collection == Collection::profiles) {
    sight_.changed(change.key, change.old_live_seq, change.live ? seq : 0, seq);
  }
  return seq;
}

// ---- on sight ----

Scope Feed::scope_of(Collection collection, const BoxKey& box) {
  if (collection != Collection::profiles || !sight_.on()) return std::nullopt;
  return box;
}

void Feed::set_on_sight(bool on, std::int64_t keep_days) {
  if (on != sight_.on()) new_epoch(Collection::profiles);
  sight_.set(on, keep_days);
}

// The profile counts as changed, so that it comes after all that the box has.
void Feed::seen(const BoxKey& box, const std::string& customer, WallTime now) {
  if (sight_.seen_again(box, customer, now)) return;
  const std::int64_t before = live_seq(Collection::profiles, customer);
  if (before == 0) return;
  const std::int64_t seq = advance(Collection::profiles, {customer, before, true});
  db_.execute("UPDATE item SET seq = $3 WHERE collection = $1 AND key = $2",
              {name_of(Collection::profiles), customer, seq});
  sight_.add(box, customer, seq, now);
}

bool Feed::let_sights_end(WallTime now, int at_most) {
  if (!sight_.on()) return false;
  const auto old = sight_.old(now, at_most);
  for (const Sight::Old& one : old) {
    const Position before = head(Collection::profiles);
    db_.execute("UPDATE feed SET seq = $2 WHERE collection = $1",
                {name_of(Collection::profiles), before.seq + 1});
    sight_.remove(one.box, one.customer, live_seq(Collection::profiles, one.customer),
                  before.seq + 1);
  }
  return old.size() >= static_cast<std::size_t>(at_most);
}

std::int64_t Feed::live_seq(Collection collection, const std::string& key) {
  const Rows rows =
      db_.query("SELECT seq FROM item WHERE collection = $1 AND key = $2 AND deleted = 0",
                {name_of(collection), key});
  return rows.empty() ? 0 : rows[0].integer(0);
}

// ---- items ----

bool Feed::put(Collection collection, const std::string& key, const std::string& customer,
               const std::string& value) {
  const std::optional<Item> old = get(collection, key);
  if (old && old->value == value && old->customer == customer) return false;
  const std::int64_t seq = advance(collection, {key, old ? old->seq : 0, true});
  db_.execute(
      "INSERT INTO item (collection, key, customer, seq, deleted, value) "
      "VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (collection, key) DO UPDATE SET "
      "customer = excluded.customer, seq = excluded.seq, deleted = 0, value = excluded.value",
      {name_of(collection), key, customer, seq, value});
  return true;
}

bool Feed::remove(Collection collection, const std::string& key) {
  const std::optional<Item> old = get(collection, key);
  if (!old) return false;
  const std::int64_t seq = advance(collection, {key, old->seq, false});
  db_.execute(
      "UPDATE item SET seq = $3, deleted = 1, value = '' WHERE collection = $1 AND key = $2",
      {name_of(collection), key, seq});
  return true;
}

std::optional<Item> Feed::get(Collection collection, const std::string& key) {
  auto items =
      to_items(db_.query("SELECT key, customer, seq, deleted, value FROM item "
                         "WHERE collection = $1 AND key = $2 AND deleted = 0",
                         {name_of(collection), key}));
  if (items.empty()) return std::nullopt;
  return std::move(items.front());
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

std::vector<Item> Feed::live(Collection collection, const Scope& scope) {
  if (scope) {
    return to_items(db_.query(
        "SELECT item.key, item.customer, item.seq, item.deleted, item.value FROM sight "
        "JOIN item ON item.collection = $1 AND item.key = sight.customer "
        "WHERE sight.store = $2 AND sight.box = $3 AND item.deleted = 0 ORDER BY item.seq",
        {name_of(collection), scope->first, scope->second}));
  }
  return to_items(
      db_.query("SELECT key, customer, seq, deleted, value FROM item "
                "WHERE collection = $1 AND deleted = 0 ORDER BY seq",
                {name_of(collection)}));
}

Position Feed::head(Collection collection, const Scope& scope) {
  const Rows rows =
      db_.query("SELECT epoch, seq, digest FROM feed WHERE collection = $1", {name_of(collection)});
  if (rows.empty()) throw DatabaseError("the database has no feed: run `welcome-crm init` first");
  if (scope) {
    const Sight::Place place = sight_.place(*scope);
    return {rows[0].text(0), place.seq, place.digest};
  }
  return {rows[0].text(0), rows[0].integer(1), rows[0].text(2)};
}

void Feed::new_epoch(Collection collection) {
  db_.execute("UPDATE feed SET epoch = $2 WHERE collection = $1",
              {name_of(collection), contract::new_uuid()});
  if (collection == Collection::profiles) sight_.new_epoch();
}

void Feed::purge_deleted(const std::string& customer) {
  sight_.forget(customer);
  for (const Collection collection : contract::kAllCollections) {
    const std::int64_t gone =
        db_.execute("DELETE FROM item WHERE collection = $1 AND customer = $2 AND deleted = 1",
                    {name_of(collection), customer});
    if (gone == 0) continue;
    db_.execute("UPDATE feed SET oldest = seq WHERE collection = $1", {name_of(collection)});
  }
}

std::vector<Item> Feed::since(Collection collection, std::int64_t seq, const Scope& scope) {
  if (scope) {
    return to_items(
        db_.query("SELECT item.key, item.customer, item.seq, item.deleted, item.value FROM sight "
                  "JOIN item ON item.collection = $1 AND item.key = sight.customer "
                  "WHERE sight.store = $2 AND sight.box = $3 AND item.seq > $4 "
                  "UNION ALL SELECT customer, customer, seq, 1, '' FROM sight_gone "
                  "WHERE store = $2 AND box = $3 AND seq > $4 ORDER BY 3",
                  {name_of(collection), scope->first, scope->second, seq}));
  }
  return to_items(
      db_.query("SELECT key, customer, seq, deleted, value FROM item "
                "WHERE collection = $1 AND seq > $2 ORDER BY seq",
                {name_of(collection), seq}));
}

std::int64_t Feed::oldest(Collection collection) {
  return db_.query("SELECT oldest FROM feed WHERE collection = $1", {name_of(collection)})
      .at(0)
      .integer(0);
}

Remedy remedy(const std::optional<Position>& have, const Position& head, std::int64_t oldest) {
  if (!have || have->epoch != head.epoch || have->seq > head.seq) return Remedy::snapshot;
  if (have->seq == head.seq) {
    return have->digest == head.digest ? Remedy::nothing : Remedy::snapshot;
  }
  return have->seq >= oldest ? Remedy::delta : Remedy::snapshot;
}

std::vector<contract::FeedBatch> delta(Collection collection, const Position& head,
                                       std::int64_t from_seq, const std::vector<Item>& items,
                                       std::size_t max_bytes) {
  std::vector<contract::FeedBatch> batches;
  auto position = static_cast<std::uint64_t>(from_seq);
  for (auto& part : split(items, max_bytes)) {
    contract::FeedBatch batch;
    batch.collection = collection;
    batch.epoch = head.epoch;
    batch.from_seq = position;
    batch.to_seq = part.empty() ? position : part.back().seq;
    batch.items = std::move(part);
    position = batch.to_seq;
    batches.push_back(std::move(batch));
  }
  // The head's own number may belong to a key that was purged since.
  batches.back().to_seq = static_cast<std::uint64_t>(head.seq);
  batches.back().digest = head.digest;
  return batches;
}

std::vector<contract::FeedBatch> snapshot(Collection collection, const Position& head,
                                          const std::vector<Item>& items, std::size_t max_bytes) {
  std::vector<contract::FeedBatch> batches;
  auto parts = split(items, max_bytes);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    contract::FeedBatch batch;
    batch.collection = collection;
    batch.epoch = head.epoch;
    batch.snapshot = true;
    batch.to_seq = static_cast<std::uint64_t>(head.seq);
    batch.part = static_cast<std::uint32_t>(i + 1);
    batch.parts = static_cast<std::uint32_t>(parts.size());
    batch.digest = head.digest;
    batch.items = std::move(parts[i]);
    batches.push_back(std::move(batch));
  }
  return batches;
}

}  // namespace welcome::crm
