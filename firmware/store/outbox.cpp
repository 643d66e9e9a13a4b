// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/outbox.h"

#include <algorithm>
#include <unordered_set>

#include "firmware/store/context.h"

namespace welcome::store {

namespace {

// Looking for the next rows ends after so many whose customers have one on its way, or that are
// held back: a month's messages are not read through for each that arrives. They go when those
// have.
constexpr std::size_t kPassedOverMost = 200;

std::string label(std::int64_t row) { return label_of("outbox", std::to_string(row)); }

OutboxRow read_row(Context& context, Statement& s) {
  OutboxRow row;
  row.row = s.int64(0);
  row.link = s.int64(1) == 0 ? Link::uplink : Link::floor;
  row.priority = static_cast<std::uint8_t>(s.int64(2));
  const auto kind = outbox_kind_from_string(s.text(4));
  row.kind = kind.value_or(OutboxKind::health);
  row.ref = s.text(5);
  row.created = s.time(6);
  if (!s.is_null(7)) row.not_before = s.time(7);
  if (!s.is_null(8)) row.expires = s.time(8);
  const auto plain = context.unseal(s.int64(3), label(row.row), s.blob(9));
  const auto fields = plain ? unpack(*plain, 8) : std::nullopt;
  // An unreadable row is told by its empty topic; the caller drops it.
  if (!kind || !fields || (*fields)[7].size() != 2) return row;
  row.id = MessageId(std::string((*fields)[0]));
  row.customer = CustomerId(std::string((*fields)[1]));
  row.topic = (*fields)[2];
  row.payload = (*fields)[3];
  row.content_type = (*fields)[4];
  row.response_topic = (*fields)[5];
  row.correlation = (*fields)[6];
  row.qos = static_cast<unsigned char>((*fields)[7][0]);
  row.retain = (*fields)[7][1] != 0;
  return row;
}

OutboxNote read_note(const Statement& s) {
  // Of a kind that this version does not know nothing follows.
  return {s.int64(0), outbox_kind_from_string(s.text(1)).value_or(OutboxKind::health),
          std::string(s.text(2))};
}

// Rows before this one are on their way.
Context::Place& first_waiting(Context& context, Link link) {
  return context.first_waiting.at(static_cast<std::size_t>(link));
}

// From here on may be some that wait.
void look_from(Context::Place& first, const Context::Place& here) { first = std::min(first, here); }

}  // namespace

std::string_view to_string(Link link) { return link == Link::uplink ? "uplink" : "floor"; }

Outbox::Outbox(Context& context) : context_(context) {}

void Outbox::Writer::enqueue(const OutboxRow& row) {
  context_.db.part([&] {
    const std::int64_t number = context_.next_outbox_row++;
    const char flags[2] = {static_cast<char>(row.qos), static_cast<char>(row.retain ? 1 : 0)};
    const auto owner = context_.owner_of(row.customer);
    const std::string sealed = context_.sealer.seal(
        *owner.key, label(number),
        pack({row.id.str(), row.customer.str(), row.topic, row.payload, row.content_type,
              row.response_topic, row.correlation, std::string_view(flags, 2)}));
    Context::Place& first = first_waiting(context_, row.link);
    if (owner.id && row.priority > 0) {
      const auto lifted = context_.db.run(
          "UPDATE outbox SET priority = ?1 WHERE customer = ?2 AND link = ?3 AND priority > ?1",
          row.priority, owner.id, row.link);
      if (lifted > 0) look_from(first, {row.priority, 0});
    }
    look_from(first, {row.priority, number});
    context_.db.run(
        "INSERT INTO outbox (row, link, priority, customer, kind, ref, created, not_before, "
        "expires, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        number, row.link, row.priority, owner.id, to_string(row.kind), row.ref, row.created,
        row.not_before, row.expires, Blob{sealed});
  });
}

Result<std::vector<OutboxRow>> Outbox::take(Link link, std::size_t limit, Now now, About about) {
  std::vector<std::int64_t> whose;  // of the rows found
  std::unordered_set<std::int64_t> busy;
  for (const auto& [row, way] : context_.handed_out) {
    if (way.link == static_cast<std::uint8_t>(link) && way.customer != 0) busy.insert(way.customer);
  }
  Context::Place& first = first_waiting(context_, link);
  auto rows = context_.db.read([&] {
    std::vector<OutboxRow> found;
    // By the index alone, and from where the first may be that is not on its way.
    auto next = context_.db.query(
        "SELECT row, priority FROM outbox WHERE link = ?1 AND (priority, row) >= (?2, ?3)"
        " ORDER BY priority, row",
        link, first.priority, first.row);
    bool none_waits = true;  // of those before
    std::size_t passed_over = 0;
    while (found.size() < limit && passed_over < kPassedOverMost && next.step()) {
      const std::int64_t number = next.int64(0);
      if (none_waits) first = {next.int64(1), number};
      if (context_.handed_out.contains(number) || context_.damaged_outbox.contains(number)) {
        continue;
      }
      none_waits = false;
      auto s = context_.db.query(
          "SELECT row, link, priority, customer, kind, ref, created, not_before, expires, sealed"
          " FROM outbox WHERE row = ?1"
          " AND (expires IS NULL OR (?3 AND expires > ?2))"
          " AND (not_before IS NULL OR (?3 AND not_before <= ?2))",
          number, now.wall, now.wall_trusted);
      if (!s.step()) continue;  // its time has not come, or is over
      const std::int64_t customer = s.int64(3);
      const bool held = about == About::nobody && customer != 0 && s.int64(2) > 0;
      if (held || busy.contains(customer)) {
        ++passed_over;
        continue;
      }
      OutboxRow row = read_row(context_, s);
      if (row.topic.empty()) {
        context_.damaged_outbox.insert(number);
        continue;
      }
      if (customer != 0) busy.insert(customer);
      whose.push_back(customer);
      found.push_back(std::move(row));
    }
    return found;
  });
  if (rows) {
    for (std::size_t i = 0; i < rows->size(); ++i) {
      context_.handed_out.emplace((*rows)[i].row,
                                  Context::OnItsWay{static_cast<std::uint8_t>(link), whose[i]});
    }
  }
  return rows;
}

Result<std::vector<OutboxNote>> Outbox::notes(std::span<const std::int64_t> rows) const {
  return context_.db.read([&] {
    std::vector<OutboxNote> found;
    for (const auto row : rows) {
      auto s = context_.db.query("SELECT row, kind, ref FROM outbox WHERE row = ?", row);
      while (s.step()) found.push_back(read_note(s));
    }
    return found;
  });
}

std::size_t Outbox::Writer::remove_rows(std::span<const std::int64_t> rows) {
  return context_.db.part([&] {
    std::size_t removed = 0;
    for (const auto row : rows) {
      removed += static_cast<std::size_t>(context_.db.run("DELETE FROM outbox WHERE row = ?", row));
      context_.handed_out.erase(row);
    }
    context_.keys_to_collect = true;
    return removed;
  });
}

std::vector<OutboxNote> Outbox::Writer::drop_damaged() {
  if (context_.damaged_outbox.empty()) return {};
  return context_.db.part([&] {
    std::vector<OutboxNote> gone;
    for (const auto row : context_.damaged_outbox) {
      auto s = context_.db.query("DELETE FROM outbox WHERE row = ? RETURNING row, kind, ref", row);
      while (s.step()) gone.push_back(read_note(s));
    }
    context_.db.run(
        "INSERT INTO counter (name, value) VALUES ('outbox_damaged', ?1)"
        " ON CONFLICT (name) DO UPDATE SET value = value + ?1",
        gone.size());
    context_.damaged_outbox.clear();
    return gone;
  });
}

void Outbox::release(Link link) {
  std::erase_if(context_.handed_out, [&](const auto& entry) {
    return entry.second.link == static_cast<std::uint8_t>(link);
  });
  first_waiting(context_, link) = {};
}

void Outbox::release_row(std::int64_t row) {
  context_.handed_out.erase(row);
  context_.first_waiting.fill({});
}

void Outbox::keep_handed_out(std::int64_t row) {
  if (const auto way = context_.handed_out.find(row); way != context_.handed_out.end()) {
    way->second.customer = 0;
  }
}

std::size_t Outbox::Writer::remove(const CustomerId& customer, std::span<const OutboxKind> kinds) {
  return context_.db.part([&] {
    const auto id = context_.id_of(customer);
    std::size_t removed = 0;
    for (const OutboxKind kind : kinds) {
      removed += static_cast<std::size_t>(context_.db.run(
          "DELETE FROM outbox WHERE customer = ? AND kind = ?", id, to_string(kind)));
    }
    return removed;
  });
}

std::size_t Outbox::Writer::remove_all(const CustomerId& customer) {
  return context_.db.part([&] {
    return static_cast<std::size_t>(
        context_.db.run("DELETE FROM outbox WHERE customer = ?", context_.id_of(customer)));
  });
}

std::size_t Outbox::Writer::remove_ref(std::string_view ref) {
  if (ref.empty()) return 0;
  return context_.db.part([&] {
    return static_cast<std::size_t>(
        context_.db.run("DELETE FROM outbox WHERE ref = ? AND ref <> ''", ref));
  });
}

void Outbox::Writer::hold_until(std::string_view ref, std::optional<WallTime> not_before) {
  return context_.db.part([&] {
    context_.db.run("UPDATE outbox SET not_before = ? WHERE ref = ? AND not_before IS NOT NULL",
                    not_before, ref);
  });
}

std::vector<OutboxNote> Outbox::Writer::expire(const AgreedTime& now) {
  return context_.db.part([&] {
    std::vector<OutboxNote> gone;
    auto s = context_.db.query("DELETE FROM outbox WHERE expires <= ? RETURNING row, kind, ref",
                               now.wall());
    while (s.step()) gone.push_back(read_note(s));
    for (const auto& note : gone) context_.handed_out.erase(note.row);
    return gone;
  });
}

Result<OutboxCount> Outbox::count() const {
  return context_.db.read([&] {
    OutboxCount count;
    auto s = context_.db.query("SELECT link, count(*), min(created) FROM outbox GROUP BY link");
    while (s.step()) {
      (s.int64(0) == 0 ? count.uplink : count.floor) = s.int64(1);
      const WallTime oldest = s.time(2);
      count.oldest = count.oldest ? std::min(*count.oldest, oldest) : oldest;
    }
    return count;
  });
}

Result<std::vector<OutboxRow>> Outbox::peek(std::size_t limit) const {
  return context_.db.read([&] {
    std::vector<OutboxRow> found;
    auto s = context_.db.query(
        "SELECT row, link, priority, customer, kind, ref, created, not_before, expires, sealed"
        " FROM outbox ORDER BY row LIMIT ?",
        limit);
    while (s.step()) found.push_back(read_row(context_, s));
    return found;
  });
}

Result<std::vector<OutboxRow>> Outbox::about(const CustomerId& customer) const {
  return context_.db.read([&] {
    std::vector<OutboxRow> found;
    const auto id = context_.id_of(customer);
    auto s = context_.db.query(
        "SELECT row, link, priority, customer, kind, ref, created, not_before, expires, sealed"
        " FROM outbox WHERE customer = ? ORDER BY row",
        id);
    while (s.step()) found.push_back(read_row(context_, s));
    return found;
  });
}

}  // namespace welcome::store
