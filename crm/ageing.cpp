// SPDX-License-Identifier: Apache-2.0
// What time takes away: consents that end, and what was kept as long as the records say.

#include <chrono>
#include <nlohmann/json.hpp>

#include "contract/contract.h"
#include "crm/crm.h"
#include "crm/invitations.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

constexpr auto kLinkRemembered = 24h;        // so that who opens it late is told what it was
constexpr auto kShownAfterwards = 30 * 24h;  // an offer that is over, under "Earlier"
constexpr auto kNewsLife = 10min;            // longer than any page waits for its next round

}  // namespace

// ---- consents ----

void Crm::note_end(const json& record, WallTime now) {
  const std::string id = record.at("record_id");
  const auto end = record.find("expires_at");
  if (end == record.end()) {
    db_.execute("DELETE FROM consent_end WHERE record_id = $1", {id});
    return;
  }
  const auto at = contract::from_rfc3339(end->get<std::string>());
  db_.execute(
      "INSERT INTO consent_end (record_id, customer, ends_at, over) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (record_id) DO UPDATE SET ends_at = excluded.ends_at, over = excluded.over",
      {id, record.at("customer").get<std::string>(), at ? contract::to_rfc3339(*at) : "",
       std::int64_t{!at || *at <= now ? 1 : 0}});
}

bool Crm::let_consents_end(WallTime now, int at_most) {
  const std::string at = contract::to_rfc3339(now);
  const auto turn = [&](const Rows& rows, std::int64_t over) {
    for (const Row& row : rows) {
      db_.execute("UPDATE consent_end SET over = $2 WHERE record_id = $1", {row.text(0), over});
      refresh(row.text(1));
      tell_page(row.text(1), "consents", now);
    }
    return rows.size();
  };
  const std::int64_t limit = at_most;
  std::size_t turned = turn(db_.query("SELECT record_id, customer FROM consent_end WHERE over = 0 "
                                      "AND ends_at <= $1 ORDER BY ends_at LIMIT $2",
                                      {at, limit}),
                            1);
  // Our clock was ahead, and has been set.
  turned += turn(db_.query("SELECT record_id, customer FROM consent_end WHERE over = 1 "
                           "AND ends_at > $1 ORDER BY ends_at LIMIT $2",
                           {at, limit}),
                 0);
  return turned >= static_cast<std::size_t>(at_most);
}

// ---- what happened ----

bool Crm::forget_the_old(WallTime now, int at_most) {
  const std::vector<Value> old{
      contract::to_rfc3339(now - std::chrono::days(settings_.retention_days)),
      std::int64_t{at_most}};
  // Counts stay, the person does not: as with an erasure.
  std::int64_t gone = db_.execute(
      "UPDATE ledger SET customer = '', data = '{}', note = 'too old' WHERE position IN "
      "(SELECT position FROM ledger WHERE customer <> '' AND handled = 1 AND received_at < $1 "
      "ORDER BY received_at LIMIT $2)",
      old);
  gone += db_.execute(
      "UPDATE offer SET customer = '' WHERE decision IN (SELECT decision FROM offer "
      "WHERE customer <> '' AND shown_at < $1 ORDER BY shown_at LIMIT $2)",
      old);
  for (const Row& row : db_.query("SELECT id FROM survey_answer WHERE customer <> '' AND at < $1 "
                                  "ORDER BY at LIMIT $2",
                                  old)) {
    forget_answer(row.text(0));
    ++gone;
  }
  gone += db_.execute(
      "DELETE FROM request WHERE position IN (SELECT position FROM request WHERE handled = 1 "
      "AND received_at < $1 ORDER BY received_at LIMIT $2)",
      old);
  gone += forget_old_pages(now, at_most);
  gone += Invitations(*this).forget_old(now, at_most);
  if (gone > 0) must_scrub();
  return forget_old_news(now, at_most) || gone >= at_most;
}

// What every open page has had: many every minute, and not worth a scrub, which is a VACUUM of
// everything on PostgreSQL. It says that something changed, and of a person nothing but the id.
bool Crm::forget_old_news(WallTime now, int at_most) {
  const std::int64_t limit = at_most;
  // Nor are challenges that nobody answered.
  const auto challenges = db_.execute(
      "DELETE FROM door_challenge WHERE challenge_hash IN (SELECT challenge_hash "
      "FROM door_challenge WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
      {contract::to_rfc3339(now), limit});
  const auto news = db_.execute(
      "DELETE FROM news WHERE position IN (SELECT position FROM news WHERE at < $1 "
      "ORDER BY at LIMIT $2)",
      {contract::to_rfc3339(now - kNewsLife), limit});
  return challenges >= limit || news >= limit;
}

// Links, devices and messages that are over.
std::int64_t Crm::forget_old_pages(WallTime now, int at_most) {
  const std::int64_t limit = at_most;
  std::int64_t gone = db_.execute(
      "DELETE FROM door_link WHERE token_hash IN (SELECT token_hash FROM door_link "
      "WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
      {contract::to_rfc3339(now - kLinkRemembered), limit});
  for (const Row& row : db_.query(
           "SELECT token_hash FROM door_session WHERE expires_at < $1 ORDER BY expires_at LIMIT $2",
           {contract::to_rfc3339(now), limit})) {
    forget_push(row.text(0));
    gone += db_.execute("DELETE FROM door_session WHERE token_hash = $1", {row.text(0)});
  }
  gone += db_.execute(
      "DELETE FROM app_message WHERE id IN (SELECT id FROM app_message WHERE expires_at < $1 "
      "ORDER BY expires_at LIMIT $2)",
      {contract::to_rfc3339(now - kShownAfterwards), limit});
  return gone;
}

}  // namespace welcome::crm
