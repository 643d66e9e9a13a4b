// SPDX-License-Identifier: Apache-2.0
#include "crm/intake.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

// Acted on in one transaction, and the pause between two.
constexpr int kActedOnAtOnce = 100;
constexpr auto kTurn = 2ms;

}  // namespace

// ---- written down ----

bool Intake::take_event(const contract::BoxAddress& box, const contract::EventMessage& event,
                        WallTime now) {
  std::string customer = event.subject.str();
  std::string data = event.data_text;
  std::string note;
  if (std::holds_alternative<ErasureReceipt>(event.data)) {
    // The id is left out: whoever knows it can put it back and check the signature.
    json without = json::parse(data);
    without.erase("customer");
    data = without.dump();
    customer.clear();
  } else if (const auto* rejected = std::get_if<contract::FeedRejected>(&event.data)) {
    // Its key may be somebody's: it goes when they are erased.
    customer = crm_.feed().owner(rejected->collection, rejected->key);
  }
  if (!customer.empty() && crm_.was_erased(customer)) {
    customer.clear();
    data = "{}";
    note = "erased";
  }
  return db_.execute(
             "INSERT INTO ledger (id, store, box, type, time, customer, data, received_at, "
             "handled, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
             "ON CONFLICT (id) DO NOTHING",
             {event.id.str(), box.store, box.box, event.type, contract::to_rfc3339(event.time),
              customer, data, contract::to_rfc3339(now), std::int64_t{note.empty() ? 0 : 1},
              note}) == 1;
}

// ---- acted on ----

int Intake::work(WallTime now) {
  int done = 0;
  while (work_waits()) {
    // A database without a queue for writers: the command line would never get its turn.
    if (done > 0) std::this_thread::sleep_for(kTurn);
    Transaction transaction(db_);
    // Requests first: a version that had them from the broker left them, a withdrawal perhaps.
    for (int n = 0; n < kActedOnAtOnce && (work_request(now) || work_event(now)); ++n) ++done;
    transaction.commit();
  }
  crm_.scrub_what_was_erased();
  return done;
}

bool Intake::work_waits() {
  return !db_.query("SELECT 1 FROM request WHERE handled = 0 LIMIT 1").empty() ||
         !db_.query("SELECT 1 FROM ledger WHERE handled = 0 LIMIT 1").empty();
}

// The entry that comes next; its columns in the order of Entry.
std::optional<Intake::Entry> Intake::next(Sql sql, const std::vector<Value>& values) {
  const Rows rows = db_.query(sql, values);
  if (rows.empty()) return std::nullopt;
  const Row& row = rows[0];
  return Entry{row.integer(0), row.text(1), row.text(2), row.text(3), row.text(4),
               row.text(5),    row.text(6), row.text(7), row.text(8)};
}

bool Intake::work_event(WallTime now) {
  auto entry = next(
      "SELECT position, id, type, time, data, store, box, customer, '' FROM ledger "
      "WHERE handled = 0 ORDER BY position LIMIT 1");
  if (!entry) return false;
  const std::string note = act_on_event(*entry, now);
  if (note.starts_with(kNoConsent) || note.starts_with(kNotBelieved)) {
    ++(note.starts_with(kNoConsent) ? counters_.without_consent : counters_.not_believed);
    db_.execute(
        "UPDATE ledger SET handled = 1, customer = '', data = '{}', note = $2, time = $3 "
        "WHERE position = $1",
        {entry->position, note, entry->time});
    return true;
  }
  if (note == kSetAside) ++counters_.set_aside;
  if (note == kTooLate) ++counters_.too_late;
  db_.execute("UPDATE ledger SET handled = 1, note = $2, time = $3 WHERE position = $1",
              {entry->position, note, entry->time});
  return true;
}

bool Intake::work_request(WallTime now) {
  const auto entry = next(
      "SELECT position, id, '', received_at, body, '', '', customer, app_id FROM request "
      "WHERE handled = 0 ORDER BY position LIMIT 1");
  if (!entry) return false;
  finish_request(*entry, now);
  return true;
}

std::string Intake::do_request(const std::string& customer, const contract::DoorRequest& request,
                               const std::string& text, WallTime now) {
  const auto app = crm_.app_of(customer);
  if (!app) return std::string(kUnknown);
  const bool first =
      db_.execute(
          "INSERT INTO request (id, app_id, customer, kind, body, received_at, handled, note) "
          "VALUES ($1, $2, $3, $4, $5, $6, 0, '') ON CONFLICT (app_id, id) DO NOTHING",
          {request.id.str(), *app, customer, std::string(contract::to_string(request.kind)), text,
           contract::to_rfc3339(now)}) == 1;
  if (!first) return {};
  const auto entry = next(
      "SELECT position, id, '', received_at, body, '', '', customer, app_id FROM request "
      "WHERE app_id = $1 AND id = $2",
      {*app, request.id.str()});
  return finish_request(entry.value(), now);
}

std::string Intake::finish_request(const Entry& entry, WallTime now) {
  std::string note = act_on_request(entry, now);
  if (note == kSetAside) ++counters_.set_aside;
  // Of who is no customer (any more) nothing is kept.
  if (note == kUnknown) {
    db_.execute("DELETE FROM request WHERE position = $1", {entry.position});
  } else {
    db_.execute("UPDATE request SET handled = 1, note = $2 WHERE position = $1",
                {entry.position, note});
  }
  return note;
}

void Intake::tell_boxes(const std::string& store, const std::string& but,
                        const contract::Command& command, WallTime now) {
  for (const auto& [its_store, box] : crm_.boxes(store)) {
    if (!crm_.feed().reaches(its_store, command.customer.str())) continue;
    if (box != but) crm_.to_box(its_store, box, command, now, now + kOutcomeLife);
  }
}

}  // namespace welcome::crm
