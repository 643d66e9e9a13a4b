// SPDX-License-Identifier: Apache-2.0
// What leaves: control messages and commands.

#include <algorithm>

#include "contract/signing.h"
#include "crm/crm.h"

namespace welcome::crm {

// ---- control ----

contract::Control Crm::to_control(const Row& row) const {
  contract::Control control;
  control.tenant = settings_.tenant;
  control.store = row.text(0);
  control.function = function_from_string(row.text(1)).value();
  control.seq = static_cast<std::uint64_t>(row.integer(2));
  control.paused = row.integer(3) != 0;
  control.id = MessageId(row.text(4));
  control.at = contract::from_rfc3339(row.text(5)).value();
  return control;
}

// By the clock, so that no backup turns it back (docs/decisions/0112).
std::int64_t Crm::next_control(WallTime now) {
  const std::int64_t last = db_.query("SELECT COALESCE(MAX(seq), 0) FROM control").at(0).integer(0);
  const std::int64_t heard =
      db_.query("SELECT COALESCE(MAX(control), 0) FROM box").at(0).integer(0);
  return std::max({last + 1, heard + 1, static_cast<std::int64_t>(now.time_since_epoch().count())});
}

contract::Control Crm::set_control(const std::string& store, Function function, bool paused,
                                   WallTime now) {
  contract::Control control;
  control.tenant = settings_.tenant;
  control.store = store;
  control.function = function;
  control.paused = paused;
  control.at = now;
  control.id = MessageId(contract::new_uuid());
  control.seq = static_cast<std::uint64_t>(next_control(now));
  db_.execute(
      "INSERT INTO control (store, function, seq, paused, id, at) VALUES ($1, $2, $3, $4, $5, $6) "
      "ON CONFLICT (store, function) DO UPDATE SET seq = excluded.seq, paused = excluded.paused, "
      "id = excluded.id, at = excluded.at",
      {store, std::string(to_string(function)), static_cast<std::int64_t>(control.seq),
       std::int64_t{paused ? 1 : 0}, control.id.str(), contract::to_rfc3339(now)});
  return control;
}

std::vector<contract::Control> Crm::controls() {
  std::vector<contract::Control> out;
  for (const Row& row :
       db_.query("SELECT store, function, seq, paused, id, at FROM control ORDER BY seq")) {
    out.push_back(to_control(row));
  }
  return out;
}

void Crm::restored(WallTime now) {
  for (const Collection collection : contract::kAllCollections) feed_.new_epoch(collection);
  for (const contract::Control& control : controls()) {
    set_control(control.store, control.function, control.paused, now);
  }
}

void Crm::box_refuses(const std::string& store, const std::string& box,
                      const contract::FeedRejected& what, const std::string& at) {
  if (what.over) {
    db_.execute(
        "DELETE FROM set_aside WHERE store = $1 AND box = $2 AND collection = $3 AND key = $4 "
        "AND seq <= $5",
        {store, box, std::string(contract::to_string(what.collection)), what.key,
         static_cast<std::int64_t>(what.seq)});
    return;
  }
  db_.execute(
      "INSERT INTO set_aside (store, box, collection, key, customer, seq, reason, at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (store, box, collection, key) DO UPDATE "
      "SET customer = excluded.customer, seq = excluded.seq, reason = excluded.reason, "
      "at = excluded.at",
      {store, box, std::string(contract::to_string(what.collection)), what.key,
       feed_.owner(what.collection, what.key), static_cast<std::int64_t>(what.seq), what.reason,
       at});
}

// ---- out ----

void Crm::to_box(const std::string& store, const std::string& box, const contract::Command& command,
                 WallTime now, std::optional<WallTime> expires_at) {
  // It is signed when it is sent.
  const contract::Message message =
      contract::encode_command({settings_.tenant, store, box}, command);
  db_.execute(
      "INSERT INTO command (id, store, box, customer, payload, made_at, expires_at, sent_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, NULL) ON CONFLICT DO NOTHING",
      {command.id.str(), store, box, command.customer.str(), message.payload,
       contract::to_rfc3339(now),
       expires_at ? Value(contract::to_rfc3339(*expires_at)) : Value(nullptr)});
}

void Crm::answered(const std::string& command, const std::string& store, const std::string& box) {
  db_.execute(
      "DELETE FROM command WHERE id = $1 AND store = $2 AND box = $3 AND NOT EXISTS (SELECT 1 "
      "FROM erasure_box WHERE erasure_box.erasure = command.id AND erasure_box.store = "
      "command.store AND erasure_box.box = command.box AND erasure_box.done_at IS NULL)",
      {command, store, box});
}

std::vector<std::pair<std::string, std::string>> Crm::boxes(const std::string& store) {
  std::vector<std::pair<std::string, std::string>> out;
  const Rows rows =
      store.empty()
          ? db_.query("SELECT store, box FROM box ORDER BY store, box")
          : db_.query("SELECT store, box FROM box WHERE store = $1 ORDER BY box", {store});
  for (const Row& row : rows) out.emplace_back(row.text(0), row.text(1));
  return out;
}

}  // namespace welcome::crm
