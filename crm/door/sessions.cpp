// SPDX-License-Identifier: Apache-2.0
#include "crm/door/sessions.h"

#include "crm/token.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

constexpr auto kSeenEvery = 1h;

std::string text(WallTime at) { return contract::to_rfc3339(at); }

WallTime time(const std::string& text) { return contract::from_rfc3339(text).value_or(WallTime{}); }

}  // namespace

// ---- links ----

Result<std::string> Sessions::new_link(const std::string& customer, WallTime now,
                                       std::chrono::minutes life) {
  if (!crm_.app_of(customer)) return fail(ErrorCode::not_found, "there is no such customer");
  std::string token = new_token();
  db_.execute(
      "INSERT INTO door_link (token_hash, customer, made_at, expires_at, used_at) "
      "VALUES ($1, $2, $3, $4, NULL)",
      {token_hash(token), customer, text(now), text(now + life)});
  return token;
}

std::optional<Sessions::Link> Sessions::link(const std::string& token, WallTime now) {
  const Rows rows =
      db_.query("SELECT customer, expires_at, used_at FROM door_link WHERE token_hash = $1",
                {token_hash(token)});
  if (rows.empty()) return std::nullopt;
  return Link{rows[0].text(0), !rows[0].null(2), time(rows[0].text(1)) <= now};
}

bool Sessions::use(const std::string& token, WallTime now) {
  return db_.execute(
             "UPDATE door_link SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL "
             "AND expires_at > $2",
             {token_hash(token), text(now)}) == 1;
}

// ---- devices ----

std::string Sessions::open(const std::string& customer, const std::string& device, WallTime now) {
  const auto others = devices(customer, now);
  for (std::size_t i = kDevicesMost - 1; i < others.size(); ++i) {
    revoke(customer, others[i].id, now);
  }
  std::string token = new_token();
  db_.execute(
      "INSERT INTO door_session (token_hash, id, customer, device, made_at, seen_at, linked_at, "
      "expires_at) VALUES ($1, $2, $3, $4, $5, $5, $5, $6)",
      {token_hash(token), contract::new_uuid(), customer, device, text(now), text(now + kLife)});
  crm_.tell_page(customer, "devices", now);
  return token;
}

void Sessions::refresh(const Session& session, WallTime now) {
  db_.execute(
      "UPDATE door_session SET linked_at = $2, seen_at = $2, expires_at = $3 "
      "WHERE token_hash = $1",
      {session.hash, text(now), text(now + kLife)});
}

std::optional<Session> Sessions::find(const std::string& token, WallTime now) {
  if (token.size() != kTokenSize) return std::nullopt;
  Session out;
  out.hash = token_hash(token);
  const Rows rows = db_.query(
      "SELECT id, customer, seen_at, linked_at, expires_at FROM door_session "
      "WHERE token_hash = $1",
      {out.hash});
  if (rows.empty() || time(rows[0].text(4)) <= now) return std::nullopt;
  out.id = rows[0].text(0);
  out.customer = rows[0].text(1);
  out.seen_at = time(rows[0].text(2));
  out.linked_at = time(rows[0].text(3));
  return out;
}

bool Sessions::is_open(const std::string& hash, WallTime now) {
  return !db_.query("SELECT 1 FROM door_session WHERE token_hash = $1 AND expires_at > $2",
                    {hash, text(now)})
              .empty();
}

bool Sessions::seen_lately(const Session& session, WallTime now) const {
  return now < session.seen_at + kSeenEvery;
}

void Sessions::saw(const Session& session, WallTime now) {
  db_.execute("UPDATE door_session SET seen_at = $2, expires_at = $3 WHERE token_hash = $1",
              {session.hash, text(now), text(now + kLife)});
}

std::vector<Device> Sessions::devices(const std::string& customer, WallTime now) {
  std::vector<Device> out;
  for (const Row& row :
       db_.query("SELECT id, device, made_at, seen_at, expires_at FROM door_session "
                 "WHERE customer = $1 ORDER BY seen_at DESC",
                 {customer})) {
    if (time(row.text(4)) <= now) continue;
    out.push_back({row.text(0), row.text(1), row.text(2), row.text(3)});
  }
  return out;
}

bool Sessions::revoke(const std::string& customer, const std::string& id, WallTime now) {
  for (const Row& row : db_.query(
           "SELECT token_hash FROM door_session WHERE id = $1 AND customer = $2", {id, customer})) {
    crm_.forget_push(row.text(0));
  }
  const bool there =
      db_.execute("DELETE FROM door_session WHERE id = $1 AND customer = $2", {id, customer}) == 1;
  if (there) crm_.tell_page(customer, "devices", now);
  return there;
}

}  // namespace welcome::crm
