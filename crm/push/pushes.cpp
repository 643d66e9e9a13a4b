// SPDX-License-Identifier: Apache-2.0
#include "crm/push/pushes.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "crm/base64url.h"
#include "crm/setting.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

constexpr const char* kSetting = "push";
constexpr auto kTakenFor = 1min;

std::string text(WallTime at) { return contract::to_rfc3339(at); }

// For the worker of the page: what a lock screen shows. Without `shows` it has nothing of anybody.
std::string words_of(const json& message, const std::string& id, const std::string& language,
                     bool shows) {
  json out = {{"v", 1}, {"id", id}, {"language", language}, {"kind", message.at("kind")}};
  json whole = out;
  for (const char* name : {"title", "text", "question"}) {
    if (const auto found = message.find(name); found != message.end()) whole[name] = *found;
  }
  std::string words = shows ? whole.dump() : out.dump();
  return words.size() <= webpush::kMostBytes ? words : out.dump();
}

}  // namespace

// ---- by the company ----

std::optional<Pushes::SetUp> Pushes::set_up() {
  const std::string kept = setting(db_, kSetting);
  if (kept.empty()) return std::nullopt;
  const json how = json::parse(kept);
  return SetUp{how.at("contact"), how.at("key"), how.at("services")};
}

void Pushes::set_up(const SetUp& how) {
  set_setting(db_, kSetting,
              json{{"contact", how.contact}, {"key", how.key}, {"services", how.services}}.dump());
}

void Pushes::turn_off() {
  set_setting(db_, kSetting, "");
  db_.execute("DELETE FROM push_due");
  db_.execute("DELETE FROM push_device");
}

bool Pushes::SetUp::knows(const Endpoint& endpoint) const {
  return is_public_service(endpoint) || is_one_of(endpoint, services);
}

// ---- by a device ----

void Pushes::subscribe(const std::string& session, const std::string& customer,
                       const Device& device, WallTime now) {
  // Somebody else was signed in in this browser before.
  for (const Row& row :
       db_.query("SELECT session FROM push_device WHERE endpoint = $1", {device.endpoint})) {
    unsubscribe(row.text(0));
  }
  unsubscribe(session);
  db_.execute(
      "INSERT INTO push_device (session, customer, endpoint, point, secret, language, shows, "
      "made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      {session, customer, device.endpoint, to_base64url(device.receiver.point),
       to_base64url(device.receiver.secret), device.language, std::int64_t{device.shows ? 1 : 0},
       text(now)});
}

void Pushes::unsubscribe(const std::string& session) { crm_.forget_push(session); }

std::optional<bool> Pushes::shows(const std::string& session) {
  const Rows rows = db_.query("SELECT shows FROM push_device WHERE session = $1", {session});
  if (rows.empty()) return std::nullopt;
  return rows[0].integer(0) != 0;
}

// ---- what is to be told ----

// Nothing: it is not to be told (any more).
std::optional<Pushes::Due> Pushes::due_of(const SetUp& how, const Row& row, WallTime now) {
  const auto endpoint = endpoint_of(row.text(3));
  const auto expires_at = contract::from_rfc3339(row.text(9));
  const auto purpose = purpose_from_string(row.text(8));
  const auto point = from_base64url(row.text(4));
  const auto secret = from_base64url(row.text(5));
  if (!endpoint || !how.knows(*endpoint) || !point || !secret || !expires_at ||
      *expires_at <= now) {
    return std::nullopt;
  }
  if (purpose && !crm_.given(row.text(2), now).has(*purpose)) return std::nullopt;
  // They have seen it already, on another device.
  if (!row.null(11) || !row.null(12)) return std::nullopt;
  const json message = json::parse(row.text(10));
  Due out;
  out.message = row.text(0);
  out.session = row.text(1);
  out.endpoint = *endpoint;
  out.receiver = {*point, *secret};
  out.words = words_of(message, out.message, row.text(6), row.integer(7) != 0);
  out.expires_at = *expires_at;
  out.urgent = message.at("kind") == "offer";
  out.tries = row.integer(13) + 1;
  return out;
}

std::vector<Pushes::Due> Pushes::take(const SetUp& how, WallTime now, std::size_t at_most) {
  std::vector<Due> out;
  for (const Row& row : db_.query(
           "SELECT push_due.message, push_due.session, push_device.customer, "
           "push_device.endpoint, push_device.point, push_device.secret, push_device.language, "
           "push_device.shows, app_message.purpose, app_message.expires_at, app_message.body, "
           "offer.opened_at, offer.dismissed_at, push_due.tries, door_session.expires_at "
           "FROM push_due "
           "LEFT JOIN push_device ON push_device.session = push_due.session "
           "LEFT JOIN door_session ON door_session.token_hash = push_due.session "
           "LEFT JOIN app_message ON app_message.id = push_due.message "
           "LEFT JOIN offer ON offer.decision = app_message.decision "
           "WHERE push_due.next_at <= $1 ORDER BY push_due.next_at LIMIT $2",
           {text(now), static_cast<std::int64_t>(at_most)})) {
    const bool there = !row.null(2) && !row.null(10) && !row.null(14) && row.text(14) > text(now);
    auto due = there ? due_of(how, row, now) : std::nullopt;
    if (!due) {
      db_.execute("DELETE FROM push_due WHERE message = $1 AND session = $2",
                  {row.text(0), row.text(1)});
      continue;
    }
    // Of several instances one gets it.
    const bool mine =
        db_.execute(
            "UPDATE push_due SET next_at = $3, tries = $4 WHERE message = $1 AND session = $2 "
            "AND tries = $5",
            {due->message, due->session, text(now + kTakenFor), due->tries, due->tries - 1}) == 1;
    if (mine) out.push_back(std::move(*due));
  }
  return out;
}

void Pushes::done(const Due& due) {
  db_.execute("DELETE FROM push_due WHERE message = $1 AND session = $2",
              {due.message, due.session});
}

void Pushes::again(const Due& due, WallTime at) {
  db_.execute("UPDATE push_due SET next_at = $3 WHERE message = $1 AND session = $2",
              {due.message, due.session, text(at)});
}

std::optional<WallTime> Pushes::next() {
  const Rows rows =
      db_.query("SELECT next_at FROM push_due WHERE next_at > '' ORDER BY next_at LIMIT 1");
  if (rows.empty()) return std::nullopt;
  return contract::from_rfc3339(rows[0].text(0));
}

}  // namespace welcome::crm
