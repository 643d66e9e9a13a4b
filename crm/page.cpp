// SPDX-License-Identifier: Apache-2.0
// What a customer's page shows, and what it is told while it is open.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crm/crm.h"
#include "crm/setting.h"

namespace welcome::crm {
namespace {

constexpr std::int64_t kShownAtMost = 50;
constexpr std::int64_t kNewsAtOnce = 1000;

json body_of(const PageMessage& message) {
  json out = {{"v", 1},
              {"id", message.id.str()},
              {"at", contract::to_rfc3339(message.at)},
              {"expires_at", contract::to_rfc3339(message.expires_at)}};
  if (!message.decision.empty()) out["decision"] = message.decision.str();
  if (message.kind == PageMessage::Kind::survey) {
    out.update({{"kind", "survey"},
                {"survey", message.survey},
                {"survey_kind", to_string(message.survey_kind)},
                {"question", message.question}});
    return out;
  }
  out.update({{"kind", "offer"}, {"title", message.title}, {"text", message.text}});
  if (!message.code.empty()) out["code"] = message.code;
  return out;
}

}  // namespace

void Crm::to_page(const std::string& customer, const PageMessage& message,
                  std::optional<Purpose> needs) {
  const json body = body_of(message);
  db_.execute(
      "INSERT INTO app_message (id, customer, kind, decision, body, purpose, at, expires_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
      {message.id.str(), customer, body.at("kind").get<std::string>(), message.decision.str(),
       body.dump(), needs ? std::string(to_string(*needs)) : std::string(),
       contract::to_rfc3339(message.at), contract::to_rfc3339(message.expires_at)});
  // For every device that wants it; whether it may be said is looked at when it is (crm/push).
  db_.execute(
      "INSERT INTO push_due (message, session, next_at, tries) SELECT $1, session, $2, 0 "
      "FROM push_device WHERE customer = $3 ON CONFLICT DO NOTHING",
      {message.id.str(), contract::to_rfc3339(message.at), customer});
  tell_page(customer, "offers", message.at);
}

void Crm::forget_push(const std::string& session) {
  db_.execute("DELETE FROM push_due WHERE session = $1", {session});
  db_.execute("DELETE FROM push_device WHERE session = $1", {session});
}

std::vector<Crm::Shown> Crm::on_page(const std::string& customer, WallTime now) {
  const PurposeSet given = this->given(customer, now);
  std::vector<Shown> out;
  for (const Row& row :
       db_.query("SELECT app_message.body, app_message.at, app_message.purpose, offer.opened_at, "
                 "offer.redeemed_at, offer.dismissed_at FROM app_message LEFT JOIN offer ON "
                 "offer.decision = app_message.decision WHERE app_message.customer = $1 "
                 "ORDER BY app_message.at DESC LIMIT $2",
                 {customer, kShownAtMost})) {
    const auto purpose = purpose_from_string(row.text(2));
    if (purpose && !given.has(*purpose)) continue;
    out.push_back({row.text(0), row.text(1), row.maybe(3), row.maybe(4), row.maybe(5)});
  }
  return out;
}

bool Crm::take_off_page(const std::string& customer, const std::string& survey) {
  for (const Row& row : db_.query(
           "SELECT id, body FROM app_message WHERE customer = $1 AND kind = 'survey' ORDER BY at",
           {customer})) {
    if (json::parse(row.text(1)).at("survey") != survey) continue;
    return db_.execute("DELETE FROM app_message WHERE id = $1", {row.text(0)}) == 1;
  }
  return false;
}

std::string Crm::page_address() { return setting(db_, "page"); }

void Crm::set_page_address(const std::string& page) { set_setting(db_, "page", page); }

void Crm::tell_page(const std::string& whose, std::string_view what, WallTime now) {
  db_.execute("INSERT INTO news (whose, what, at) VALUES ($1, $2, $3)",
              {whose, std::string(what), contract::to_rfc3339(now)});
}

std::vector<Crm::News> Crm::news_after(std::int64_t position) {
  std::vector<News> out;
  for (const Row& row :
       db_.query("SELECT position, whose, what FROM news WHERE position > $1 ORDER BY position "
                 "LIMIT $2",
                 {position, kNewsAtOnce})) {
    out.push_back({row.integer(0), row.text(1), row.text(2)});
  }
  return out;
}

std::int64_t Crm::newest_news() {
  return db_.query("SELECT COALESCE(MAX(position), 0) FROM news").at(0).integer(0);
}

}  // namespace welcome::crm
