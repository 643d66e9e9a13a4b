// SPDX-License-Identifier: Apache-2.0
// A customer is exported, erased here and on every box, and does not come back.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sodium.h>

#include "contract/items.h"
#include "contract/signing.h"
#include "core/hex.h"
#include "crm/crm.h"
#include "crm/setting.h"
#include "crm/token.h"

namespace welcome::crm {
namespace {

WallTime last_grant_of(Feed& feed, const std::string& customer) {
  WallTime last{};
  for (const Item& item : feed.of_customer(Collection::consents, customer)) {
    const auto known = contract::decode_item(Collection::consents, item.value);
    if (!known) continue;
    const ConsentStanding said = standing(std::get<ConsentRecord>(*known));
    last = std::max(last, said.given_at.value_or(last));
  }
  return last;
}

}  // namespace

std::string Crm::hash(const std::string& customer) const {
  std::array<unsigned char, 32> out{};
  crypto_generichash(out.data(), out.size(),
                     reinterpret_cast<const unsigned char*>(customer.data()), customer.size(),
                     reinterpret_cast<const unsigned char*>(tombstone_key_.data()),
                     std::min<std::size_t>(tombstone_key_.size(), crypto_generichash_KEYBYTES_MAX));
  return to_hex(out);
}

std::string Crm::hash_of_code(const std::string& customer, const std::string& digits) const {
  return hash(customer + '\n' + digits);
}

bool Crm::was_erased(const std::string& customer) {
  return !db_.query("SELECT 1 FROM tombstone WHERE customer_hash = $1", {hash(customer)}).empty();
}

Result<std::string> Crm::forget(const std::string& customer, WallTime now) {
  if (auto ok = must_exist(customer); !ok) return tl::unexpected(ok.error());
  const std::string at = contract::to_rfc3339(now);
  const std::string id = contract::new_uuid();
  const WallTime last_grant = last_grant_of(feed_, customer);

  for (const Collection collection :
       {Collection::consents, Collection::identities, Collection::profiles}) {
    for (const Item& item : feed_.of_customer(collection, customer)) {
      feed_.remove(collection, item.key);
    }
  }
  db_.execute("DELETE FROM identity WHERE customer = $1", {customer});
  db_.execute("DELETE FROM customer WHERE customer = $1", {customer});
  db_.execute("DELETE FROM command WHERE customer = $1", {customer});
  // Counts stay, the person does not.
  db_.execute(
      "UPDATE ledger SET customer = '', data = '{}', note = 'erased', handled = 1 "
      "WHERE customer = $1",
      {customer});
  db_.execute("UPDATE offer SET customer = '' WHERE customer = $1", {customer});
  for (const Row& row : db_.query("SELECT id FROM survey_answer WHERE customer = $1", {customer})) {
    forget_answer(row.text(0));
  }
  // Whichever app_id they had when they asked.
  db_.execute("DELETE FROM request WHERE customer = $1", {customer});
  db_.execute("DELETE FROM consent_past WHERE customer = $1", {customer});
  db_.execute("DELETE FROM consent_end WHERE customer = $1", {customer});
  db_.execute("DELETE FROM pending_consent WHERE customer = $1", {customer});
  db_.execute("DELETE FROM desk_code WHERE customer = $1", {customer});
  db_.execute("DELETE FROM desk_confirmed WHERE customer = $1", {customer});
  db_.execute("DELETE FROM withdrawn_again WHERE customer = $1", {customer});
  db_.execute("DELETE FROM set_aside WHERE customer = $1", {customer});
  db_.execute("DELETE FROM visit WHERE customer = $1", {customer});
  db_.execute("DELETE FROM app_message WHERE customer = $1", {customer});
  db_.execute("DELETE FROM news WHERE whose = $1", {customer});
  // None of their devices gets in any more.
  db_.execute("DELETE FROM door_link WHERE customer = $1", {customer});
  db_.execute(
      "DELETE FROM door_challenge WHERE session IN (SELECT token_hash FROM door_session "
      "WHERE customer = $1)",
      {customer});
  for (const Row& row :
       db_.query("SELECT session FROM push_device WHERE customer = $1", {customer})) {
    forget_push(row.text(0));
  }
  db_.execute("DELETE FROM door_session WHERE customer = $1", {customer});
  db_.execute("DELETE FROM passkey WHERE customer = $1", {customer});
  tell_page("", "devices", now);

  db_.execute("INSERT INTO tombstone (customer_hash, at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
              {hash(customer), at});
  db_.execute(
      "INSERT INTO erasure (erasure, customer, customer_hash, asked_at, done_at) "
      "VALUES ($1, $2, $3, $4, NULL)",
      {id, customer, hash(customer), at});
  db_.execute(
      "INSERT INTO erasure_box (erasure, store, box, done_at, receipt) "
      "SELECT $1, store, box, NULL, NULL FROM box WHERE state <> 'new'",
      {id});
  contract::Command command;
  command.id = MessageId(id);
  command.kind = contract::Command::Kind::erase;
  command.customer = CustomerId(customer);
  // What was signed with a time that is still to come does not bring them back when it has come.
  if (last_grant > now) command.at = last_grant;
  // A box that was never here has nothing.
  for (const Row& row : db_.query("SELECT store, box FROM erasure_box WHERE erasure = $1", {id})) {
    to_box(row.text(0), row.text(1), command, now, std::nullopt);
  }
  finish_erasure(id, now);
  must_scrub();
  return id;
}

// Counts stay, the person does not: the id of an answer says whose app it came from.
void Crm::forget_answer(const std::string& id) {
  db_.execute("UPDATE survey_answer SET customer = '', id = $2 WHERE id = $1",
              {id, contract::new_uuid()});
}

// Written down, so that it is done even if nobody lives to do it now.
void Crm::must_scrub() { set_setting(db_, "scrub_due", contract::new_uuid()); }

bool Crm::scrub_what_was_erased() {
  const std::string due = setting(db_, "scrub_due");
  if (due.empty()) return true;
  if (!db_.scrub()) return false;
  // Unless more was erased in the meantime.
  db_.execute("DELETE FROM setting WHERE name = 'scrub_due' AND value = $1", {due});
  return true;
}

std::optional<Erasure> Crm::erasure(const std::string& id_or_customer) {
  const Rows rows = db_.query(
      "SELECT erasure, asked_at, done_at FROM erasure WHERE erasure = $1 OR customer_hash = $2 "
      "ORDER BY asked_at DESC LIMIT 1",
      {id_or_customer, hash(id_or_customer)});
  if (rows.empty()) return std::nullopt;
  Erasure out{rows[0].text(0), rows[0].text(1), rows[0].maybe(2), {}};
  for (const Row& row :
       db_.query("SELECT store, box, done_at, refused, revoked_at FROM erasure_box "
                 "WHERE erasure = $1 ORDER BY store, box",
                 {out.id})) {
    out.boxes.push_back({row.text(0), row.text(1), row.maybe(2), row.text(3), row.maybe(4)});
  }
  return out;
}

void Crm::erasure_done(const std::string& erasure, const std::string& store, const std::string& box,
                       const std::string& receipt, WallTime now) {
  db_.execute(
      "UPDATE erasure_box SET done_at = $4, receipt = $5, refused = NULL "
      "WHERE erasure = $1 AND store = $2 AND box = $3 AND done_at IS NULL AND revoked_at IS NULL",
      {erasure, store, box, contract::to_rfc3339(now), receipt});
  answered(erasure, store, box);
  tell_page(erasure, "erasure", now);
  finish_erasure(erasure, now);
}

std::string Crm::new_erasure_token(const std::string& erasure) {
  std::string token = new_token();
  db_.execute("INSERT INTO erasure_token (token_hash, erasure) VALUES ($1, $2)",
              {token_hash(token), erasure});
  return token;
}

std::optional<Erasure> Crm::erasure_of_token(const std::string& token) {
  const Rows rows =
      db_.query("SELECT erasure FROM erasure_token WHERE token_hash = $1", {token_hash(token)});
  if (rows.empty()) return std::nullopt;
  return erasure(rows[0].text(0));
}

Result<void> Crm::take_receipt(const std::string& store, const std::string& box,
                               const std::string& text, WallTime now) {
  const json receipt = json::parse(text);
  const std::string erasure = receipt.at("command");
  const Rows rows = db_.query(
      "SELECT erasure.customer FROM erasure_box JOIN erasure ON erasure.erasure = "
      "erasure_box.erasure WHERE erasure_box.erasure = $1 AND store = $2 AND box = $3 "
      "AND erasure_box.done_at IS NULL AND erasure_box.revoked_at IS NULL",
      {erasure, store, box});
  if (rows.empty()) return {};  // nobody waits for it (any more)
  if (auto good = check_receipt(store, box, receipt, rows[0].text(0), now); !good) {
    db_.execute(
        "UPDATE erasure_box SET refused = $4 WHERE erasure = $1 AND store = $2 AND box = $3",
        {erasure, store, box, good.error().message});
    return good;
  }
  erasure_done(erasure, store, box, text, now);
  return {};
}

namespace {

// Of a receipt that the box has signed. An old box cannot say it, and what it does not say is not
// so.
Result<void> check_bytes_gone(const json& receipt) {
  const auto said = receipt.find("bytes_gone");
  if (said == receipt.end()) {
    return fail(ErrorCode::refused,
                "it does not say that the bytes are gone: the box is older than 0.2.0");
  }
  if (*said != true) return fail(ErrorCode::refused, "the bytes are not gone yet");
  return {};
}

}  // namespace

Result<void> Crm::check_receipt(const std::string& store, const std::string& box, json receipt,
                                const std::string& customer, WallTime now) {
  if (receipt.at("box") != box) return fail(ErrorCode::refused, "it is another box's");
  if (!receipt.contains("sig")) return fail(ErrorCode::refused, "it is not signed");
  const auto known = box_key(store, box);
  if (!known) return fail(ErrorCode::refused, "the box has not said its key");
  receipt["customer"] = customer;
  const std::string text = receipt.dump();
  if (signed_by_box(store, box, text, now)) return check_bytes_gone(receipt);
  if (known->other && signed_with(*known->other, box, text)) {
    return fail(ErrorCode::refused, "it is signed with a key that is not trusted");
  }
  return fail(ErrorCode::refused, "its signature is wrong");
}

// When the last box has confirmed or was taken out, nobody needs the id any more.
void Crm::finish_erasure(const std::string& erasure, WallTime now) {
  if (!db_.query("SELECT 1 FROM erasure_box WHERE erasure = $1 AND done_at IS NULL "
                 "AND revoked_at IS NULL LIMIT 1",
                 {erasure})
           .empty()) {
    return;
  }
  const Rows rows =
      db_.query("SELECT customer FROM erasure WHERE erasure = $1 AND done_at IS NULL", {erasure});
  if (rows.empty()) return;
  feed_.purge_deleted(rows[0].text(0));
  db_.execute("UPDATE erasure SET customer = '', done_at = $2 WHERE erasure = $1",
              {erasure, contract::to_rfc3339(now)});
}

}  // namespace welcome::crm
