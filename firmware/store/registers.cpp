// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/registers.h"

#include "core/pipeline.h"
#include "firmware/store/context.h"

namespace welcome::store {

namespace {

void put_meta(Database& db, std::string_view name, std::string_view value) {
  db.run(
      "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = "
      "excluded.value",
      name, value);
}

// What a clock in the future, or one that nobody had set, has written: it would be kept for years
// too long, and nobody who was erased could come back. Withdrawals keep their time, which is the
// CRM's word, and the audit trail is as it was signed.
void redate(Database& db, WallTime now) {
  const WallTime latest = now + kClocksAgree;
  db.run("UPDATE visit SET started = ?1 WHERE started > ?2", now, latest);
  db.run("UPDATE decision SET at = ?1 WHERE at > ?2", now, latest);
  db.run("UPDATE state SET changed = ?1 WHERE changed > ?2", now, latest);
  db.run("UPDATE template SET created = ?1 WHERE created > ?2", now, latest);
  db.run("UPDATE outbox SET created = ?1 WHERE created > ?2", now, latest);
  db.run("UPDATE erasure SET at = ?1 WHERE at > ?2", now, latest);
  db.run("UPDATE tombstone SET at = ?1 WHERE at > ?2", now, latest);
}

}  // namespace

Registers::Registers(Context& context) : context_(context) {}

std::int64_t Registers::Writer::next_session() {
  return context_.db.part([&] {
    auto s = context_.db.query(
        "INSERT INTO counter (name, value) VALUES ('session', 1)"
        " ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value");
    std::int64_t session = 0;
    while (s.step()) session = s.int64(0);
    return session;
  });
}

bool Registers::Writer::put_control(const ControlRow& row) {
  return context_.db.part([&] {
    return context_.db.run(
               "INSERT INTO control (scope, function, seq, paused, body) VALUES (?, ?, ?, ?, ?) ON "
               "CONFLICT DO UPDATE SET seq = "
               "excluded.seq,"
               " paused = excluded.paused, body = excluded.body WHERE excluded.seq > seq",
               row.scope, row.function, row.seq, row.paused, row.body) > 0;
  });
}

Result<std::vector<ControlRow>> Registers::controls() const {
  return context_.db.read([&] {
    std::vector<ControlRow> rows;
    auto s = context_.db.query("SELECT scope, function, seq, paused, body FROM control");
    while (s.step()) {
      rows.push_back({std::string(s.text(0)), std::string(s.text(1)), s.int64(2), s.int64(3) != 0,
                      std::string(s.text(4))});
    }
    return rows;
  });
}

void Registers::Writer::add_counter(std::string_view name, std::int64_t by) {
  context_.db.part([&] {
    context_.db.run(
        "INSERT INTO counter (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = value "
        "+ ?2",
        name, by);
  });
}

Result<std::map<std::string, std::int64_t>> Registers::counters() const {
  return context_.db.read([&] {
    std::map<std::string, std::int64_t> counters;
    auto s = context_.db.query("SELECT name, value FROM counter WHERE name <> 'session'");
    while (s.step()) counters.emplace(s.text(0), s.int64(1));
    return counters;
  });
}

void Registers::Writer::put(std::string_view name, std::string_view value) {
  context_.db.part([&] { put_meta(context_.db, name, value); });
}

Result<std::optional<std::string>> Registers::get(std::string_view name) const {
  return context_.db.read([&]() -> std::optional<std::string> {
    auto s = context_.db.query("SELECT value FROM meta WHERE name = ?", name);
    if (!s.step()) return std::nullopt;
    return std::string(s.text(0));
  });
}

std::map<std::string, std::int64_t> Registers::Writer::apply_retention(const Retention& keep,
                                                                       const AgreedTime& now) {
  using Removed = std::map<std::string, std::int64_t>;
  return context_.db.part([&] {
    Database& db = context_.db;
    const WallTime wall = now.wall();
    redate(db, wall);
    Removed removed;
    removed["visit"] =
        db.run("DELETE FROM visit WHERE ended IS NOT NULL AND started < ?", wall - keep.visits);
    removed["decision"] = db.run("DELETE FROM decision WHERE at < ?", wall - keep.decisions);
    removed["state"] = db.run("DELETE FROM state WHERE kind IN (?, ?) AND changed < ?",
                              StateRow::Kind::facts, StateRow::Kind::device, wall - keep.facts);
    removed["template"] = db.run("DELETE FROM template WHERE created < ?", wall - keep.templates);
    removed["outbox"] =
        db.run("DELETE FROM outbox WHERE created < ? AND priority > 0", wall - keep.outbox);
    removed["erasure"] = db.run("DELETE FROM erasure WHERE at < ? AND state = 3 AND bytes_gone",
                                wall - keep.receipts);
    removed["withdrawal"] = db.run("DELETE FROM withdrawal WHERE at < ?", wall - keep.tombstones);
    removed["tombstone"] = db.run("DELETE FROM tombstone WHERE at < ?", wall - keep.tombstones);
    const auto last = [&]() -> std::int64_t {
      auto s = db.query("SELECT max(seq) FROM audit WHERE at < ?", wall - keep.audit);
      return s.step() ? s.int64(0) : 0;
    }();
    if (last > 0) {
      db.run("DELETE FROM audit_anchor");
      db.run("INSERT INTO audit_anchor (seq, hash) SELECT seq, hash FROM audit WHERE seq = ?",
             last);
      removed["audit"] = db.run("DELETE FROM audit WHERE seq <= ?", last);
    }
    context_.keys_to_collect = true;
    std::erase_if(removed, [](const auto& entry) { return entry.second == 0; });
    return removed;
  });
}

}  // namespace welcome::store
