// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/rekey.h"

#include <algorithm>
#include <charconv>

namespace welcome::store {

namespace {

constexpr std::string_view kHashKey = "hash_key";
constexpr std::string_view kFormer = "former_key ";  // and its number

std::vector<std::pair<std::string, std::string>> kept(Context& context) {
  std::vector<std::pair<std::string, std::string>> out;
  auto s = context.db.query("SELECT name, sealed FROM kept ORDER BY name");
  while (s.step()) {
    const std::string name(s.text(0));
    auto plain = Sealer::open(context.sealer.keep_key(), label_of("kept", name), s.blob(1));
    if (!plain) throw DbError({ErrorCode::corrupt, "store: what the file keeps does not open"});
    out.emplace_back(name, std::move(*plain));
  }
  return out;
}

void keep(Database& db, const Sealer& sealer, const std::string& name, std::string_view plain) {
  const std::string sealed = sealer.seal(sealer.keep_key(), label_of("kept", name), plain);
  db.run(
      "INSERT INTO kept (name, sealed) VALUES (?, ?) ON CONFLICT DO UPDATE SET sealed = "
      "excluded.sealed",
      name, Blob{sealed});
}

// A key that does not open stays as it is: what it sealed is lost, and mended when they are met.
void wrap_again(Context& context, const Sealer& fresh) {
  std::int64_t last = 0;
  for (bool more = true; more;) {
    std::vector<std::pair<std::int64_t, std::string>> batch;
    {
      auto s = context.db.query(
          "SELECT id, hash, wrapped FROM customer WHERE id > ? ORDER BY id LIMIT "
          "1000",
          last);
      while (s.step()) {
        last = s.int64(0);
        const auto key = context.sealer.unwrap(s.blob(2), s.blob(1));
        batch.emplace_back(last, key ? fresh.wrap(*key, s.blob(1)) : std::string());
      }
    }
    more = !batch.empty();
    for (const auto& [id, wrapped] : batch) {
      if (!wrapped.empty())
        context.db.run("UPDATE customer SET wrapped = ? WHERE id = ?", Blob{wrapped}, id);
    }
  }
}

// What is about nobody is sealed with a key that comes from the box key.
class Nobodys {
 public:
  Nobodys(Context& context, const Sealer& fresh) : context_(context), fresh_(fresh) {}

  // Of the rows of `select` (a number, a text or blob, what is sealed): `label` says where it
  // stands, `write` puts it back.
  template <class Label, class Write>
  void of(Sql select, Label label, Write write) {
    struct Row {
      std::int64_t number;
      std::string name, sealed;
    };
    std::vector<Row> rows;
    auto s = context_.db.query(select);
    while (s.step()) {
      const std::string name(s.blob(1));
      const std::string where = label(s.int64(0), name);
      // What does not open now will not then.
      const auto plain = Sealer::open(context_.sealer.box_data_key(), where, s.blob(2));
      if (plain)
        rows.push_back({s.int64(0), name, fresh_.seal(fresh_.box_data_key(), where, *plain)});
    }
    for (const Row& row : rows) write(row.number, row.name, Blob{row.sealed});
  }

 private:
  Context& context_;
  const Sealer& fresh_;
};

void seal_again(Context& context, const Sealer& fresh) {
  Database& db = context.db;
  Nobodys nobodys(context, fresh);
  nobodys.of(
      "SELECT id, key_hash, sealed FROM feed_item WHERE customer IS NULL AND sealed IS NOT NULL",
      [](std::int64_t, const std::string& name) { return label_of("item", name); },
      [&](std::int64_t id, const std::string&, Blob sealed) {
        db.run("UPDATE feed_item SET sealed = ? WHERE id = ?", sealed, id);
      });
  nobodys.of(
      "SELECT part, CAST(item AS TEXT), sealed FROM feed_brief WHERE customer IS NULL",
      [](std::int64_t, const std::string&) { return std::string(kBriefLabel); },
      [&](std::int64_t part, const std::string& item, Blob sealed) {
        db.run("UPDATE feed_brief SET sealed = ? WHERE part = ? AND item = CAST(? AS INTEGER)",
               sealed, part, item);
      });
  nobodys.of(
      "SELECT kind, key_hash, sealed FROM state WHERE customer IS NULL",
      [](std::int64_t kind, const std::string& name) { return state_label(kind, name); },
      [&](std::int64_t kind, const std::string& name, Blob sealed) {
        db.run("UPDATE state SET sealed = ? WHERE kind = ? AND key_hash = ?", sealed, kind,
               Blob{name});
      });
  nobodys.of(
      "SELECT row, '', sealed FROM outbox WHERE customer IS NULL",
      [](std::int64_t row, const std::string&) { return label_of("outbox", std::to_string(row)); },
      [&](std::int64_t row, const std::string&, Blob sealed) {
        db.run("UPDATE outbox SET sealed = ? WHERE row = ?", sealed, row);
      });
  nobodys.of(
      "SELECT 0, request, sealed FROM erasure WHERE sealed IS NOT NULL",
      [](std::int64_t, const std::string& request) { return label_of("erasure", request); },
      [&](std::int64_t, const std::string& request, Blob sealed) {
        db.run("UPDATE erasure SET sealed = ? WHERE request = ?", sealed, request);
      });
}

// What the file keeps of the keys before, and what the last of them says of the new one.
void hand_over(Context& context, Sealer& fresh, const Vouch& vouch) {
  const auto entries = context.db.integer("SELECT max(seq) FROM audit").value_or(0);
  const auto removed = context.db.integer("SELECT max(seq) FROM audit_anchor").value_or(0);
  const auto before = kept(context);
  std::size_t former = 0;
  for (const auto& [name, plain] : before) {
    if (name.starts_with(kFormer)) ++former;
    keep(context.db, fresh, name, plain);
  }
  keep(context.db, fresh, std::string(kHashKey), context.sealer.hash_key().view());
  const std::string vouched = vouch ? vouch(context.sealer.signing_seed(), fresh.public_key()) : "";
  // Their names sort in the order in which they were in use.
  std::string number = std::to_string(former + 1);
  number.insert(0, 6 - std::min<std::size_t>(number.size(), 6), '0');
  keep(context.db, fresh, std::string(kFormer) + number,
       pack({std::to_string(std::max(entries, removed)), context.sealer.public_key(), vouched}));
}

}  // namespace

std::vector<FormerKey> former_keys(Context& context) {
  std::vector<FormerKey> out;
  for (const auto& [name, plain] : kept(context)) {
    if (!name.starts_with(kFormer)) continue;
    const auto fields = unpack(plain, 3);
    if (!fields) continue;
    FormerKey key{0, std::string((*fields)[1]), std::string((*fields)[2])};
    const std::string_view until = (*fields)[0];
    std::from_chars(until.data(), until.data() + until.size(), key.until);
    out.push_back(std::move(key));
  }
  return out;
}

void drop_unreadable(Context& context) {
  std::vector<std::string> bad;
  {
    auto s = context.db.query("SELECT name, sealed FROM kept");
    while (s.step()) {
      const std::string name(s.text(0));
      if (!Sealer::open(context.sealer.keep_key(), label_of("kept", name), s.blob(1)))
        bad.push_back(name);
    }
  }
  const auto done = context.db.write([&] {
    for (const auto& name : bad) context.db.run("DELETE FROM kept WHERE name = ?", name);
  });
  if (!done) throw DbError(done.error());
}

void adopt_hash_key(Context& context) {
  for (const auto& [name, plain] : kept(context)) {
    if (name != kHashKey || plain.size() != Secret::size()) continue;
    Secret key;
    std::copy(plain.begin(), plain.end(), key.data());
    context.sealer.keep_hash_key(key);
  }
}

void rekey(Context& context, std::span<const std::uint8_t, 32> next, const Vouch& vouch) {
  Sealer fresh(next);
  const auto done = context.db.write([&] {
    seal_again(context, fresh);
    wrap_again(context, fresh);
    hand_over(context, fresh, vouch);
    context.db.run("UPDATE meta SET value = ? WHERE name = ?", fresh.key_check(), kKeyCheck);
  });
  if (!done) throw DbError(done.error());
  // Until then the log has what was wrapped with the old key.
  context.db.checkpoint(true);
}

}  // namespace welcome::store
