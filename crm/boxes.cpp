// SPDX-License-Identifier: Apache-2.0
#include "crm/boxes.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "contract/contract.h"
#include "contract/topics.h"

namespace welcome::crm {
namespace {

// Words of the contract's topics: they stand where a store's name stands.
constexpr std::string_view kNoNames[] = {"app", "floor"};

// Whose key can be changed: what a phone or a fob computes its addresses from. A fixed number can
// only be given away with its device.
bool has_secret(const std::string& kind) {
  return kind == "irk" || kind == "eddystone_eid" || kind == "rotating_uuid";
}

bool says(const std::string& list, std::string_view word) {
  return (", " + list + ",").find(", " + std::string(word) + ",") != std::string::npos;
}

}  // namespace

bool Boxes::valid_name(std::string_view name) {
  if (!contract::valid_level(name) || name.front() == '_') return false;
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || c == '-' || c == '_' || c == '.' ||
           (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return plain && std::find(std::begin(kNoNames), std::end(kNoNames), name) == std::end(kNoNames);
}

bool Boxes::admit(const std::string& store, const std::string& box, const std::string& by,
                  WallTime now) {
  db_.execute("DELETE FROM stranger WHERE store = $1 AND box = $2", {store, box});
  // It gets another password: one that was made before does not take its place.
  db_.execute("DELETE FROM renewal WHERE store = $1 AND box = $2", {store, box});
  const bool first =
      db_.execute(
          "INSERT INTO box (store, box, state, session, version, seen_at, admitted_at, "
          "admitted_by) VALUES ($1, $2, 'new', 0, '', '', $3, $4) ON CONFLICT DO NOTHING",
          {store, box, contract::to_rfc3339(now), by}) == 1;
  if (first) crm_.feed().begin({store, box});
  return first;
}

bool Boxes::admitted(const std::string& store, const std::string& box) {
  return !db_.query("SELECT 1 FROM box WHERE store = $1 AND box = $2", {store, box}).empty();
}

std::string Boxes::region_said(const std::string& store, const std::string& box) {
  const Rows rows = db_.query("SELECT region FROM box WHERE store = $1 AND box = $2", {store, box});
  return rows.empty() ? std::string() : rows[0].text(0);
}

std::vector<std::string> Boxes::held_by(const std::string& store, const std::string& box) {
  std::set<std::string> out;
  for (const Collection collection :
       {Collection::consents, Collection::profiles, Collection::identities}) {
    const std::string name(contract::to_string(collection));
    const auto one = [&](Sql sql) { return db_.query(sql, {store, box, name}); };
    const Rows confirmed =
        one("SELECT epoch, seq FROM confirmed WHERE store = $1 AND box = $2 AND collection = $3");
    if (confirmed.empty() &&
        one("SELECT 1 FROM told WHERE store = $1 AND box = $2 AND collection = $3").empty()) {
      continue;
    }
    const Scope scope = crm_.feed().scope_of(collection, {store, box});
    // Until it has come there, what it has is what there was where it says that it is.
    if (const std::string said = region_said(store, box);
        scope.kind == Scope::Kind::region && !said.empty() && said != scope.region) {
      for (std::string& customer : crm_.feed().customers(collection, Scope::of_region(said), -1)) {
        out.insert(std::move(customer));
      }
    }
    // Of a former epoch nobody knows what the numbers were.
    const bool known =
        !confirmed.empty() && confirmed[0].text(0) == crm_.feed().head(collection, scope).epoch;
    for (std::string& customer : crm_.feed().customers(
             collection, scope, known ? confirmed[0].integer(1) : std::int64_t{-1})) {
      out.insert(std::move(customer));
    }
  }
  return {out.begin(), out.end()};
}

std::vector<HeldDevice> Boxes::devices_of(const std::vector<std::string>& customers) {
  std::vector<HeldDevice> out;
  for (const std::string& customer : customers) {
    for (const Row& row :
         db_.query("SELECT identity, value FROM identity WHERE customer = $1 ORDER BY identity",
                   {customer})) {
      const std::string kind = json::parse(row.text(1)).value("kind", "");
      if (has_secret(kind)) out.push_back({row.text(0), customer, kind});
    }
  }
  return out;
}

std::int64_t Boxes::leave_erasures(const std::string& store, const std::string& box, WallTime now) {
  const Rows open = db_.query(
      "SELECT erasure FROM erasure_box WHERE store = $1 AND box = $2 AND done_at IS NULL "
      "AND revoked_at IS NULL",
      {store, box});
  db_.execute(
      "UPDATE erasure_box SET revoked_at = $3, refused = NULL WHERE store = $1 AND box = $2 "
      "AND done_at IS NULL AND revoked_at IS NULL",
      {store, box, contract::to_rfc3339(now)});
  for (const Row& row : open) crm_.finish_erasure(row.text(0), now);
  return static_cast<std::int64_t>(open.size());
}

Result<Revoked> Boxes::revoke(const std::string& store, const std::string& box, WallTime now) {
  if (!admitted(store, box)) return fail(ErrorCode::not_found, "this box is not admitted");
  Revoked out;
  out.customers = held_by(store, box);
  out.devices = devices_of(out.customers);
  const std::vector<Value> it{store, box};
  // What it said last and nobody has acted on is not believed either.
  db_.execute(
      "UPDATE ledger SET handled = 1, customer = '', data = '{}', note = 'not believed: revoked' "
      "WHERE handled = 0 AND store = $1 AND box = $2",
      it);
  db_.execute("DELETE FROM command WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM told WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM confirmed WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM set_aside WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM box_key WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM box_trail WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM diagnosis WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM renewal WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM box_release WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM box_light WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM invitation WHERE store = $1 AND box = $2", it);
  db_.execute("DELETE FROM box WHERE store = $1 AND box = $2", it);
  crm_.feed().forget(BoxKey{store, box});
  out.erasures = leave_erasures(store, box, now);
  return out;
}

Result<void> Boxes::retire(const std::string& store, const std::string& box,
                           const std::string& proof, WallTime now) {
  if (!admitted(store, box)) {
    const Rows before = db_.query(
        "SELECT 1 FROM retired WHERE store = $1 AND box = $2 AND proof = $3", {store, box, proof});
    if (!before.empty()) return {};
    return fail(ErrorCode::not_found, "this box is not admitted");
  }
  const auto key = crm_.box_key(store, box);
  if (!key) return fail(ErrorCode::refused, "the box has not said its key");
  auto good = contract::check_retired({crm_.settings().tenant, store, box}, proof, key->key);
  if (!good) return good;
  if (auto gone = revoke(store, box, now); !gone) return tl::unexpected(gone.error());
  db_.execute(
      "INSERT INTO retired (store, box, retired_at, public_key, proof) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (store, box) DO UPDATE SET retired_at = excluded.retired_at, "
      "public_key = excluded.public_key, proof = excluded.proof",
      {store, box, contract::to_rfc3339(now), contract::public_key_text(key->key), proof});
  return {};
}

std::optional<std::string> Boxes::retired_at(const std::string& store, const std::string& box) {
  if (admitted(store, box)) return std::nullopt;
  const Rows rows =
      db_.query("SELECT retired_at FROM retired WHERE store = $1 AND box = $2", {store, box});
  if (rows.empty()) return std::nullopt;
  return rows[0].text(0);
}

// ---- strangers ----

bool Boxes::turn_away(const std::string& store, const std::string& box, std::string_view tried,
                      WallTime now) {
  const std::string at = contract::to_rfc3339(now);
  const Rows known =
      db_.query("SELECT tried FROM stranger WHERE store = $1 AND box = $2", {store, box});
  if (!known.empty()) {
    std::string all = known[0].text(0);
    if (!says(all, tried)) all.append(", ").append(tried);
    db_.execute(
        "UPDATE stranger SET last_at = $3, tries = tries + 1, tried = $4 "
        "WHERE store = $1 AND box = $2",
        {store, box, at, all});
    return false;
  }
  db_.execute("DELETE FROM stranger WHERE last_at < $1",
              {contract::to_rfc3339(now - kStrangerLife)});
  if (db_.query("SELECT COUNT(*) FROM stranger").at(0).integer(0) >= kStrangers) return false;
  db_.execute(
      "INSERT INTO stranger (store, box, since, last_at, tries, tried) "
      "VALUES ($1, $2, $3, $3, 1, $4)",
      {store, box, at, std::string(tried)});
  return true;
}

std::vector<Stranger> Boxes::strangers() {
  std::vector<Stranger> out;
  for (const Row& row : db_.query("SELECT store, box, since, last_at, tries, tried FROM stranger "
                                  "ORDER BY store, box")) {
    out.push_back(
        {row.text(0), row.text(1), row.text(2), row.text(3), row.integer(4), row.text(5)});
  }
  return out;
}

}  // namespace welcome::crm
