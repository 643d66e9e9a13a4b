// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/journal.h"

#include <nlohmann/json.hpp>

#include "firmware/store/context.h"

namespace welcome::store {

using nlohmann::json;

namespace {

constexpr std::uint8_t kStateKeys = 32;  // item_hash domain, beside the feed's collections

VisitRow read_visit(Context& context, Statement& s) {
  VisitRow row;
  row.id = VisitId(std::string(s.text(0)));
  row.started = s.time(2);
  if (!s.is_null(3)) row.ended = s.time(3);
  const auto plain = context.unseal(s.int64(1), label_of("visit", row.id.str()), s.blob(4));
  if (const auto fields = plain ? unpack(*plain, 2) : std::nullopt) {
    row.customer = CustomerId(std::string((*fields)[0]));
    row.detail = (*fields)[1];
  }
  return row;
}

DecisionRow read_decision(Context& context, Statement& s) {
  DecisionRow row;
  row.id = DecisionId(std::string(s.text(0)));
  row.visit = VisitId(std::string(s.text(2)));
  row.at = s.time(3);
  row.kind = s.text(4);
  row.reason = s.text(5);
  const auto plain = context.unseal(s.int64(1), label_of("decision", row.id.str()), s.blob(6));
  if (const auto fields = plain ? unpack(*plain, 2) : std::nullopt) {
    row.customer = CustomerId(std::string((*fields)[0]));
    row.explain = (*fields)[1];
  }
  return row;
}

// Rows that do not open (a damaged column) are left out.
template <class Row>
std::vector<Row> all(Context& context, Statement s, Row (*read)(Context&, Statement&)) {
  std::vector<Row> rows;
  while (s.step()) {
    Row row = read(context, s);
    if (!row.customer.empty()) rows.push_back(std::move(row));
  }
  return rows;
}

template <class Row>
Result<Row> the_one(Result<std::vector<Row>> rows, const char* what) {
  if (!rows) return tl::unexpected<Error>(rows.error());
  if (rows->empty()) return fail(ErrorCode::not_found, what);
  return std::move(rows->front());
}

CustomerHash state_key(Context& context, StateRow::Kind kind, std::string_view key) {
  return context.sealer.item_hash(
      static_cast<std::uint8_t>(kStateKeys + static_cast<std::uint8_t>(kind)), key);
}

std::vector<StateRow> read_states(Context& context, Statement s) {
  std::vector<StateRow> rows;
  while (s.step()) {
    StateRow row;
    row.kind = static_cast<StateRow::Kind>(s.int64(0));
    const auto plain = context.unseal(s.int64(2), state_label(s.int64(0), s.blob(1)), s.blob(3));
    const auto fields = plain ? unpack(*plain, 3) : std::nullopt;
    if (!fields) continue;
    row.key = (*fields)[0];
    row.customer = CustomerId(std::string((*fields)[1]));
    row.value = std::string((*fields)[2]);
    rows.push_back(std::move(row));
  }
  return rows;
}

void write_visit(Context& context, const VisitRow& row) {
  const auto owner = context.owner_of(row.customer);
  const std::string sealed = context.sealer.seal(*owner.key, label_of("visit", row.id.str()),
                                                 pack({row.customer.str(), row.detail}));
  context.db.run(
      "INSERT INTO visit (id, customer, started, ended, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT "
      "(id) DO UPDATE SET"
      " customer = excluded.customer, started = excluded.started, ended = excluded.ended,"
      " sealed = excluded.sealed",
      row.id.str(), owner.id, row.started, row.ended, Blob{sealed});
}

std::vector<VisitRow> visits_about(Context& context, const CustomerId& customer) {
  return all<VisitRow>(context,
                       context.db.query("SELECT id, customer, started, ended, sealed FROM visit"
                                        " WHERE customer = ? ORDER BY started",
                                        context.id_of(customer)),
                       read_visit);
}

}  // namespace

Journal::Journal(Context& context) : context_(context) {}

void Journal::Writer::put_visit(const VisitRow& row) {
  context_.db.part([&] { write_visit(context_, row); });
}

void Journal::Writer::add_decision(const DecisionRow& row) {
  context_.db.part([&] {
    const auto owner = context_.owner_of(row.customer);
    const std::string sealed = context_.sealer.seal(*owner.key, label_of("decision", row.id.str()),
                                                    pack({row.customer.str(), row.explain}));
    context_.db.run(
        "INSERT INTO decision (id, visit, customer, at, kind, reason, sealed) VALUES (?, ?, ?, ?, "
        "?, ?, ?)",
        row.id.str(), row.visit.str(), owner.id, row.at, row.kind, row.reason, Blob{sealed});
  });
}

Result<std::vector<VisitRow>> Journal::open_visits() const {
  return context_.db.read([&] {
    return all<VisitRow>(context_,
                         context_.db.query("SELECT id, customer, started, ended, sealed FROM visit"
                                           " WHERE ended IS NULL ORDER BY started"),
                         read_visit);
  });
}

Result<std::vector<VisitRow>> Journal::visits(std::size_t limit) const {
  return context_.db.read([&] {
    return all<VisitRow>(context_,
                         context_.db.query("SELECT id, customer, started, ended, sealed FROM visit"
                                           " ORDER BY started DESC, rowid DESC LIMIT ?",
                                           limit),
                         read_visit);
  });
}

Result<std::vector<DecisionRow>> Journal::decisions(std::size_t limit) const {
  return context_.db.read([&] {
    return all<DecisionRow>(
        context_,
        context_.db.query("SELECT id, customer, visit, at, kind, reason, sealed FROM decision"
                          " ORDER BY at DESC, rowid DESC LIMIT ?",
                          limit),
        read_decision);
  });
}

Result<VisitRow> Journal::visit(const VisitId& id) const {
  return the_one(context_.db.read([&] {
    return all<VisitRow>(
        context_,
        context_.db.query("SELECT id, customer, started, ended, sealed FROM visit WHERE id = ?",
                          id.str()),
        read_visit);
  }),
                 "no such visit");
}

Result<DecisionRow> Journal::decision(const DecisionId& id) const {
  return the_one(context_.db.read([&] {
    return all<DecisionRow>(
        context_,
        context_.db.query("SELECT id, customer, visit, at, kind, reason, sealed FROM decision"
                          " WHERE id = ?",
                          id.str()),
        read_decision);
  }),
                 "no such decision");
}

Result<std::vector<DecisionRow>> Journal::decisions_of(const VisitId& visit) const {
  return context_.db.read([&] {
    return all<DecisionRow>(
        context_,
        context_.db.query("SELECT id, customer, visit, at, kind, reason, sealed FROM decision"
                          " WHERE visit = ? ORDER BY at, rowid",
                          visit.str()),
        read_decision);
  });
}

Result<std::vector<VisitRow>> Journal::visits_of(const CustomerId& customer) const {
  return context_.db.read([&] { return visits_about(context_, customer); });
}

Result<std::vector<VisitRow>> Journal::visits_since(WallTime start) const {
  return context_.db.read([&] {
    return all<VisitRow>(context_,
                         context_.db.query("SELECT id, customer, started, ended, sealed FROM visit"
                                           " WHERE started >= ? ORDER BY started",
                                           start),
                         read_visit);
  });
}

Result<std::vector<DecisionRow>> Journal::made_since(WallTime start, std::string_view kind) const {
  return context_.db.read([&] {
    return all<DecisionRow>(
        context_,
        context_.db.query("SELECT id, customer, visit, at, kind, reason, sealed FROM decision"
                          " WHERE at >= ? AND kind = ? AND reason = 'made' ORDER BY at",
                          start, kind),
        read_decision);
  });
}

Result<std::vector<NotMade>> Journal::not_offered_since(WallTime start) const {
  return context_.db.read([&] {
    auto s = context_.db.query(
        "SELECT visit, reason, count(*) FROM decision"
        " WHERE at >= ? AND kind = 'offer' AND reason <> 'made' GROUP BY visit, reason",
        start);
    std::vector<NotMade> out;
    while (s.step()) {
      out.push_back(
          {VisitId(std::string(s.text(0))), std::string(s.text(1)), static_cast<int>(s.int64(2))});
    }
    return out;
  });
}

Result<std::vector<DecisionRow>> Journal::decisions_about(const CustomerId& customer) const {
  return context_.db.read([&] {
    const auto id = context_.id_of(customer);
    return all<DecisionRow>(
        context_,
        context_.db.query("SELECT id, customer, visit, at, kind, reason, sealed FROM decision"
                          " WHERE customer = ? ORDER BY at",
                          id),
        read_decision);
  });
}

std::size_t Journal::Writer::erase_sightings(const CustomerId& customer) {
  return context_.db.part([&] {
    const auto id = context_.id_of(customer);
    auto removed = context_.db.run("DELETE FROM visit WHERE customer = ?", id);
    removed += context_.db.run("DELETE FROM decision WHERE customer = ?", id);
    return static_cast<std::size_t>(removed);
  });
}

std::size_t Journal::Writer::erase_states(const CustomerId& customer, StateRow::Kind kind) {
  return context_.db.part([&] {
    return static_cast<std::size_t>(context_.db.run(
        "DELETE FROM state WHERE customer = ? AND kind = ?", context_.id_of(customer), kind));
  });
}

void Journal::Writer::erase_words(const CustomerId& customer, TimelineOf of) {
  context_.db.part([&] {
    auto rows = visits_about(context_, customer);
    for (VisitRow& row : rows) {
      json detail = json::parse(row.detail, nullptr, false);
      const auto line = detail.is_object() ? detail.find("timeline") : detail.end();
      if (line == detail.end() || !line->is_array()) continue;
      json kept = json::array();
      for (json& entry : *line) {
        if (!entry.is_array() || entry.size() < 2 || entry[1] != to_string(of)) {
          kept.push_back(std::move(entry));
        }
      }
      *line = std::move(kept);
      row.detail = detail.dump();
      write_visit(context_, row);
    }
  });
}

void Journal::Writer::put_state(const StateRow& row, WallTime at) {
  context_.db.part([&] {
    const CustomerHash key = state_key(context_, row.kind, row.key);
    if (!row.value) {
      context_.db.run("DELETE FROM state WHERE kind = ? AND key_hash = ?", row.kind,
                      Blob{view(key)});
      return;
    }
    const auto owner = context_.owner_of(row.customer);
    const std::string sealed = context_.sealer.seal(
        *owner.key, state_label(static_cast<std::int64_t>(row.kind), view(key)),
        pack({row.key, row.customer.str(), *row.value}));
    context_.db.run(
        "INSERT INTO state (kind, key_hash, customer, changed, sealed) VALUES (?, ?, ?, ?, ?) ON "
        "CONFLICT DO UPDATE SET"
        " customer = excluded.customer, changed = excluded.changed, sealed = excluded.sealed",
        row.kind, Blob{view(key)}, owner.id, at, Blob{sealed});
  });
}

Result<std::vector<StateRow>> Journal::states() const {
  return states(StateRow::Kind::visit, StateRow::Kind::decision, StateRow::Kind::store);
}

Result<std::vector<StateRow>> Journal::states(StateRow::Kind kind) const {
  return states(kind, kind, kind);
}

Result<std::vector<StateRow>> Journal::states(StateRow::Kind first, StateRow::Kind second,
                                              StateRow::Kind third) const {
  return context_.db.read([&] {
    return read_states(
        context_, context_.db.query(
                      "SELECT kind, key_hash, customer, sealed FROM state WHERE kind IN (?, ?, ?)",
                      first, second, third));
  });
}

Result<std::vector<StateRow>> Journal::states_of(const CustomerId& customer) const {
  return context_.db.read([&] {
    return read_states(context_,
                       context_.db.query("SELECT kind, key_hash, customer, sealed FROM state"
                                         " WHERE customer = ? AND kind NOT IN (?, ?)",
                                         context_.id_of(customer), StateRow::Kind::facts,
                                         StateRow::Kind::recording));
  });
}

Result<std::optional<std::string>> Journal::facts(const CustomerId& customer) const {
  return context_.db.read([&]() -> std::optional<std::string> {
    const CustomerHash key = state_key(context_, StateRow::Kind::facts, customer.str());
    auto s = context_.db.query("SELECT customer, sealed FROM state WHERE kind = ? AND key_hash = ?",
                               StateRow::Kind::facts, Blob{view(key)});
    if (!s.step()) return std::nullopt;
    const auto plain = context_.unseal(
        s.int64(0), state_label(static_cast<std::int64_t>(StateRow::Kind::facts), view(key)),
        s.blob(1));
    const auto fields = plain ? unpack(*plain, 3) : std::nullopt;
    if (!fields) return std::nullopt;
    return std::string((*fields)[2]);
  });
}

}  // namespace welcome::store
