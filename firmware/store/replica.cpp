// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/replica.h"

#include <algorithm>

#include "core/hex.h"
#include "firmware/store/context.h"

namespace welcome::store {

namespace {

constexpr std::array<std::string_view, kCollections> kNames{"profiles",  "consents", "identities",
                                                            "campaigns", "policy",   "staff"};

std::string_view digest_view(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Digest digest_from(std::string_view bytes) {
  Digest digest{};
  if (bytes.size() == digest.size()) std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

struct Position {
  std::int64_t part = 0;
  std::string epoch;
  std::int64_t seq = 0;
  Digest digest{};
};

Position read_position(Statement s) {
  Position position;
  if (s.step()) {
    position.part = s.int64(0);
    position.epoch = s.text(1);
    position.seq = s.int64(2);
    position.digest = digest_from(s.blob(3));
  }
  return position;
}

Position live(Database& db, Collection c) {
  return read_position(
      db.query("SELECT part, epoch, seq, digest FROM feed WHERE collection = ?", c));
}

// Of a collection that nothing has come of: 0, which no item has.
std::int64_t live_part(Context& context, Collection c) {
  auto& part = context.parts.at(static_cast<std::size_t>(c));
  if (!part) part = live(context.db, c).part;
  return *part;
}

void write_live(Context& context, Collection c, const Position& p) {
  context.parts.at(static_cast<std::size_t>(c)) = p.part;
  context.db.run(
      "INSERT INTO feed (collection, part, epoch, seq, digest) VALUES (?, ?, ?, ?, ?) ON CONFLICT "
      "DO UPDATE SET part = excluded.part,"
      " epoch = excluded.epoch, seq = excluded.seq, digest = excluded.digest",
      c, p.part, p.epoch, p.seq, Blob{digest_view(p.digest)});
}

// Each collection has a part of its own, from its first item on.
std::int64_t fresh_part(Database& db) {
  return 1 + db.integer(
                   "SELECT max(part) FROM (SELECT part FROM feed UNION ALL"
                   " SELECT max(part) FROM feed_item)")
                 .value_or(0);
}

bool remove(Context& context, std::int64_t part, std::string_view key_hash) {
  Database& db = context.db;
  const auto id = context.names.find(part, key_hash);
  if (!id) return false;
  context.names.remove(part, key_hash);
  db.run("DELETE FROM feed_item WHERE id = ?", *id);
  db.run("DELETE FROM feed_brief WHERE part = ? AND item = ?", part, *id);
  return true;
}

void apply_one(Context& context, Collection collection, std::int64_t part, const FeedChange& change,
               ApplyReport& report) {
  Database& db = context.db;
  const ReplicaItem& item = change.item;
  const CustomerHash hash =
      context.sealer.item_hash(static_cast<std::uint8_t>(collection), item.key);
  const std::string_view key_hash = view(hash);

  if (change.erase) {
    if (remove(context, part, key_hash)) {
      context.keys_to_collect = true;
      ++report.erased;
    }
    return;
  }
  // 0: none.
  const std::int64_t old = change.fresh ? 0 : context.names.find(part, key_hash).value_or(0);
  if (change.withhold && change.keep && old != 0) {
    db.run("UPDATE feed_item SET seq = ? WHERE id = ?", item.seq, old);
    ++report.withheld;
    return;
  }

  std::optional<std::int64_t> owner_id;
  std::optional<std::string> sealed;
  std::optional<std::string> brief;
  if (!change.withhold) {
    if (const auto owner = context.find_owner(item.customer)) {
      owner_id = owner->id;
      sealed = context.sealer.seal(*owner->key, label_of("item", key_hash),
                                   pack({item.key, item.customer.str(), item.body}));
      if (!item.brief.empty())
        brief = context.sealer.seal(*owner->key, kBriefLabel,
                                    pack({item.key, item.customer.str(), item.brief}));
    }
  }
  const auto body = sealed ? std::optional<Blob>(Blob{*sealed}) : std::nullopt;

  std::int64_t id = old;
  if (old == 0) {
    db.run("INSERT INTO feed_item (part, key_hash, customer, seq, sealed) VALUES (?, ?, ?, ?, ?)",
           part, Blob{key_hash}, owner_id, item.seq, body);
    id = db.last_row();
    context.names.put(part, hash, id);
  } else {
    if (db.run("UPDATE feed_item SET customer = ?, seq = ?, sealed = ? WHERE id = ?", owner_id,
               item.seq, body, id) != 1)
      throw DbError({ErrorCode::corrupt, "store: feed names and items differ"});
    db.run("DELETE FROM feed_brief WHERE part = ? AND item = ?", part, id);
  }
  if (brief)
    db.run("INSERT INTO feed_brief (part, item, customer, seq, sealed) VALUES (?, ?, ?, ?, ?)",
           part, id, owner_id, item.seq, Blob{*brief});
  ++(sealed ? report.put : report.withheld);
}

std::optional<ReplicaItem> open_item(const std::optional<std::string>& plain, std::int64_t seq,
                                     bool is_brief) {
  const auto fields = plain ? unpack(*plain, 3) : std::nullopt;
  if (!fields) return std::nullopt;
  ReplicaItem item;
  item.key = (*fields)[0];
  item.customer = CustomerId(std::string((*fields)[1]));
  item.seq = seq;
  (is_brief ? item.brief : item.body) = (*fields)[2];
  return item;
}

// Reads rows of customer, seq, sealed and, for whole items, key_hash.
Replica::LoadReport load_rows(Context& context, Statement s, bool is_brief,
                              const std::function<void(ReplicaItem&&)>& fn) {
  Replica::LoadReport report;
  const Context::AllKeys keys = context.all_keys();
  while (s.step()) {
    std::optional<ReplicaItem> item;
    if (const auto key = keys.find(s.int64(0)); key != keys.end()) {
      item = open_item(is_brief ? Sealer::open(key->second, kBriefLabel, s.blob(2))
                                : Sealer::open(key->second, label_of("item", s.blob(3)), s.blob(2)),
                       s.int64(1), is_brief);
    }
    if (!item) {
      ++report.damaged;
      continue;
    }
    ++report.loaded;
    fn(std::move(*item));
  }
  return report;
}

}  // namespace

std::string_view to_string(Collection collection) {
  return kNames[static_cast<std::size_t>(collection)];
}

std::optional<Collection> collection_from_string(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == text) return static_cast<Collection>(i);
  return std::nullopt;
}

std::optional<Digest> digest_from_hex(std::string_view text) {
  Digest digest{};
  if (!from_hex(text, digest)) return std::nullopt;
  return digest;
}

Replica::Replica(Context& context) : context_(context) {}

Result<FeedState> Replica::state(Collection collection) const {
  return context_.db.read([&] {
    Position p = live(context_.db, collection);
    return FeedState{std::move(p.epoch), p.seq, p.digest};
  });
}

ApplyReport Replica::Writer::apply(Collection collection, const std::optional<FeedState>& position,
                                   std::span<const FeedChange> changes,
                                   std::span<const std::string> gone) {
  return context_.db.part([&] {
    Position here = live(context_.db, collection);
    const bool first = here.part == 0;
    if (first) here.part = fresh_part(context_.db);
    ApplyReport report;
    for (const auto& change : changes) apply_one(context_, collection, here.part, change, report);
    for (const auto& name : gone) report.erased += remove(context_, here.part, name) ? 1 : 0;
    if (!gone.empty()) context_.keys_to_collect = true;
    if (position) {
      here.epoch = position->epoch;
      here.seq = position->seq;
      here.digest = position->digest;
    }
    if (first || position) write_live(context_, collection, here);
    return report;
  });
}

std::string Replica::name_of(Collection collection, std::string_view key) const {
  return std::string(view(context_.sealer.item_hash(static_cast<std::uint8_t>(collection), key)));
}

Result<void> Replica::for_each_name(Collection collection,
                                    const std::function<void(std::string_view)>& fn) const {
  return context_.db.read([&] { context_.names.for_each(live_part(context_, collection), fn); });
}

Result<std::optional<std::int64_t>> Replica::seq_of(Collection collection,
                                                    std::string_view key) const {
  return context_.db.read([&]() -> std::optional<std::int64_t> {
    const CustomerHash hash = context_.sealer.item_hash(static_cast<std::uint8_t>(collection), key);
    const auto item = context_.names.find(live_part(context_, collection), view(hash));
    if (!item) return std::nullopt;
    auto s = context_.db.query("SELECT seq FROM feed_item WHERE id = ?", *item);
    if (!s.step()) return std::nullopt;
    return s.int64(0);
  });
}

void Replica::Writer::distrust(Collection collection, std::span<const std::string> keys) {
  context_.db.part([&] {
    const std::int64_t part = live_part(context_, collection);
    for (const std::string& key : keys) {
      const CustomerHash hash =
          context_.sealer.item_hash(static_cast<std::uint8_t>(collection), key);
      const auto item = context_.names.find(part, view(hash));
      if (!item) continue;
      context_.db.run("UPDATE feed_item SET customer = NULL, sealed = NULL WHERE id = ?", *item);
      context_.db.run("DELETE FROM feed_brief WHERE part = ? AND item = ?", part, *item);
      context_.keys_to_collect = true;
    }
    context_.db.run("UPDATE feed SET epoch = '', seq = 0 WHERE collection = ?", collection);
  });
}

Result<ReplicaItem> Replica::find(Collection collection, std::string_view key) const {
  return find_named(collection, name_of(collection, key));
}

Result<ReplicaItem> Replica::find_named(Collection collection, std::string_view name) const {
  auto found = context_.db.read([&]() -> std::optional<ReplicaItem> {
    const auto item = context_.names.find(live_part(context_, collection), name);
    if (!item) return std::nullopt;
    auto s = context_.db.query(
        "SELECT customer, seq, sealed FROM feed_item WHERE id = ? AND sealed IS NOT NULL", *item);
    if (!s.step()) return std::nullopt;
    return open_item(context_.unseal(s.int64(0), label_of("item", name), s.blob(2)), s.int64(1),
                     false);
  });
  if (!found) return tl::unexpected<Error>(found.error());
  if (!*found) return fail(ErrorCode::not_found, "no such item");
  return std::move(**found);
}

Result<std::vector<ReplicaItem>> Replica::of_customer(Collection collection,
                                                      const CustomerId& customer) const {
  return context_.db.read([&] {
    std::vector<ReplicaItem> items;
    auto s = context_.db.query(
        "SELECT key_hash, customer, seq, sealed FROM feed_item WHERE customer = ? AND +part = ?",
        context_.id_of(customer), live_part(context_, collection));
    while (s.step()) {
      auto item = open_item(context_.unseal(s.int64(1), label_of("item", s.blob(0)), s.blob(3)),
                            s.int64(2), false);
      if (item) items.push_back(std::move(*item));
    }
    return items;
  });
}

Result<std::vector<ReplicaItem>> Replica::briefs_of_customer(Collection collection,
                                                             const CustomerId& customer) const {
  return context_.db.read([&] {
    std::vector<ReplicaItem> items;
    auto s = context_.db.query(
        "SELECT feed_item.key_hash, feed_item.customer, feed_item.seq,"
        " coalesce(feed_brief.sealed, feed_item.sealed), feed_brief.sealed IS NOT NULL"
        " FROM feed_item LEFT JOIN feed_brief ON feed_brief.part = feed_item.part"
        " AND feed_brief.item = feed_item.id"
        " WHERE feed_item.customer = ? AND +feed_item.part = ?",
        context_.id_of(customer), live_part(context_, collection));
    while (s.step()) {
      const bool is_brief = s.int64(4) != 0;
      const std::string label = is_brief ? std::string(kBriefLabel) : label_of("item", s.blob(0));
      auto item = open_item(context_.unseal(s.int64(1), label, s.blob(3)), s.int64(2), is_brief);
      if (item) items.push_back(std::move(*item));
    }
    return items;
  });
}

Result<bool> Replica::empty(Collection collection) const {
  return context_.db.read([&] {
    return !context_.db
                .query("SELECT 1 FROM feed_item WHERE part = ? LIMIT 1",
                       live_part(context_, collection))
                .step();
  });
}

Result<Replica::LoadReport> Replica::load(Collection collection,
                                          const std::function<void(ReplicaItem&&)>& fn) const {
  return context_.db.read([&] {
    return load_rows(context_,
                     context_.db.query("SELECT customer, seq, sealed, key_hash FROM feed_item"
                                       " INDEXED BY feed_item_part"
                                       " WHERE part = ? AND sealed IS NOT NULL",
                                       live_part(context_, collection)),
                     false, fn);
  });
}

Result<Replica::LoadReport> Replica::load_briefs(
    Collection collection, const std::function<void(ReplicaItem&&)>& fn) const {
  return context_.db.read([&] {
    return load_rows(context_,
                     context_.db.query("SELECT customer, seq, sealed FROM feed_brief"
                                       " WHERE part = ?",
                                       live_part(context_, collection)),
                     true, fn);
  });
}

Result<std::int64_t> Replica::count(Collection collection) const {
  return context_.db.read([&] {
    auto s =
        context_.db.query("SELECT count(*) FROM feed_item WHERE part = ? AND sealed IS NOT NULL",
                          live_part(context_, collection));
    return s.step() ? s.int64(0) : 0;
  });
}

}  // namespace welcome::store
