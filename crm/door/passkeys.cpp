// SPDX-License-Identifier: Apache-2.0
#include "crm/door/passkeys.h"

#include <nlohmann/json.hpp>

#include "core/enum_names.h"
#include "crm/base64url.h"
#include "crm/token.h"

namespace welcome::crm {
namespace {

constexpr EnumNames<Passkeys::For, 3> kWhat{{
    {Passkeys::For::create, "create"},
    {Passkeys::For::confirm, "confirm"},
    {Passkeys::For::enter, "enter"},
}};

std::string word_of(Passkeys::For what) { return std::string(enum_name(kWhat, what)); }

Passkey passkey_of(const Row& row) {
  Passkey out;
  out.id = row.text(0);
  out.credential = row.text(1);
  out.customer = row.text(2);
  out.name = row.text(3);
  out.made_at = row.text(4);
  out.used_at = row.maybe(5);
  // What is damaged is no key, and is refused as one.
  out.known.key = from_base64url(row.text(6)).value_or("");
  out.known.counter = static_cast<std::uint32_t>(row.integer(7));
  return out;
}

}  // namespace

// ---- challenges ----

std::string Passkeys::new_challenge(For what, const std::string& session, WallTime now) {
  if (!session.empty()) {
    db_.execute("DELETE FROM door_challenge WHERE session = $1", {session});
  }
  std::string challenge = new_token();
  db_.execute(
      "INSERT INTO door_challenge (challenge_hash, session, what, expires_at) "
      "VALUES ($1, $2, $3, $4)",
      {token_hash(challenge), session, word_of(what), contract::to_rfc3339(now + kChallengeLife)});
  return challenge;
}

bool Passkeys::take_challenge(const std::string& challenge, For what, const std::string& session,
                              WallTime now) {
  return db_.execute(
             "DELETE FROM door_challenge WHERE challenge_hash = $1 AND session = $2 AND what = $3 "
             "AND expires_at > $4",
             {token_hash(challenge), session, word_of(what), contract::to_rfc3339(now)}) == 1;
}

// ---- whose they are ----

std::string Passkeys::known_handle_of(const std::string& customer) {
  const Rows rows = db_.query("SELECT handle FROM customer WHERE customer = $1", {customer});
  return rows.empty() ? std::string() : rows[0].text(0);
}

std::string Passkeys::handle_of(const std::string& customer) {
  db_.execute("UPDATE customer SET handle = $2 WHERE customer = $1 AND handle = ''",
              {customer, new_token()});
  return known_handle_of(customer);
}

std::vector<Passkey> Passkeys::of(const std::string& customer) {
  std::vector<Passkey> out;
  for (const Row& row :
       db_.query("SELECT id, credential, customer, name, made_at, used_at, key, counter "
                 "FROM passkey WHERE customer = $1 ORDER BY made_at DESC",
                 {customer})) {
    out.push_back(passkey_of(row));
  }
  return out;
}

std::optional<Passkey> Passkeys::find(const std::string& credential) {
  const Rows rows = db_.query(
      "SELECT id, credential, customer, name, made_at, used_at, key, counter "
      "FROM passkey WHERE credential = $1",
      {credential});
  if (rows.empty()) return std::nullopt;
  return passkey_of(rows[0]);
}

bool Passkeys::add(const std::string& customer, const webauthn::Created& created,
                   const std::string& name, WallTime now) {
  const bool added =
      db_.execute(
          "INSERT INTO passkey (credential, id, customer, key, counter, name, made_at, used_at) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, NULL) ON CONFLICT (credential) DO NOTHING",
          {to_base64url(created.credential), contract::new_uuid(), customer,
           to_base64url(created.key), std::int64_t{created.counter}, name,
           contract::to_rfc3339(now)}) == 1;
  if (added) note(customer, "passkey.added", name, "app", now);
  return added;
}

bool Passkeys::use(const Passkey& passkey, std::uint32_t counter, WallTime now) {
  const bool used =
      db_.execute(
          "UPDATE passkey SET counter = $3, used_at = $4 WHERE credential = $1 AND counter = $2",
          {passkey.credential, std::int64_t{passkey.known.counter}, std::int64_t{counter},
           contract::to_rfc3339(now)}) == 1;
  if (used) crm_.tell_page(passkey.customer, "passkeys", now);
  return used;
}

bool Passkeys::remove(const std::string& customer, const std::string& id, const char* how,
                      WallTime now) {
  const Rows rows =
      db_.query("SELECT name FROM passkey WHERE id = $1 AND customer = $2", {id, customer});
  if (rows.empty()) return false;
  db_.execute("DELETE FROM passkey WHERE id = $1 AND customer = $2", {id, customer});
  note(customer, "passkey.removed", rows[0].text(0), how, now);
  return true;
}

// On record as what a customer asks for is: it is handed out with everything else, goes with them,
// and by age.
void Passkeys::note(const std::string& customer, const char* kind, const std::string& name,
                    const char* how, WallTime now) {
  db_.execute(
      "INSERT INTO request (id, app_id, customer, kind, body, received_at, handled, note) "
      "VALUES ($1, $2, $3, $4, $5, $6, 1, '')",
      {contract::new_uuid(), crm_.app_of(customer).value_or(""), customer, std::string(kind),
       json{{"name", name}, {"how", how}}.dump(), contract::to_rfc3339(now)});
  crm_.tell_page(customer, "passkeys", now);
}

}  // namespace welcome::crm
