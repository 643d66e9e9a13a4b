// SPDX-License-Identifier: Apache-2.0
// Everything that is held on a customer (docs/schemas/crm/export.customer.json).

#include <nlohmann/json.hpp>

#include "crm/crm.h"

namespace welcome::crm {
namespace {

// A record with the steps that are not sent to boxes any more, and a withdrawal that was said
// again.
json whole_record(Database& db, json record) {
  json history = json::array();
  const Value id = record.at("record_id").get<std::string>();
  const auto add = [&](const Row& row) {
    history.push_back({{"state", row.text(0)}, {"at", row.text(1)}, {"how", row.text(2)}});
  };
  for (const Row& row :
       db.query("SELECT state, at, how FROM consent_past WHERE record_id = $1 ORDER BY at, state",
                {id})) {
    add(row);
  }
  for (json& step : record.at("history")) history.push_back(std::move(step));
  for (const Row& row :
       db.query("SELECT 'withdrawn', at, how FROM withdrawn_again WHERE record_id = $1", {id})) {
    add(row);
  }
  for (const Row& row :
       db.query("SELECT at, how FROM desk_confirmed WHERE record_id = $1 ORDER BY at", {id})) {
    for (json& step : history) {
      const bool it = step.at("at") == row.text(0) && step.at("state") == "given";
      if (it) step["confirmed"] = row.text(1);
    }
  }
  record["history"] = std::move(history);
  return record;
}

}  // namespace

Result<json> Crm::export_customer(const std::string& customer, WallTime now) {
  if (auto ok = must_exist(customer); !ok) return tl::unexpected(ok.error());
  json out = {{"v", 1},
              {"customer", customer},
              {"app_id", *app_of(customer)},
              {"exported_at", contract::to_rfc3339(now)},
              {"controller", settings_.controller},
              {"profile", *profile(customer)},
              {"regions", Regions::named_in(feed_.regions().home_of(customer))},
              {"consents", json::array()},
              {"identities", json::array()},
              {"events", json::array()},
              {"offers", json::array()},
              {"survey_answers", json::array()},
              {"app_requests", json::array()},
              {"profile_at", json::array()},
              {"devices", json::array()},
              {"passkeys", json::array()},
              {"shown", json::array()},
              {"desk_questions", json::array()}};
  for (json& record : consents(customer)) {
    out["consents"].push_back(whole_record(db_, std::move(record)));
  }
  for (const Row& row :
       db_.query("SELECT value FROM identity WHERE customer = $1 ORDER BY identity", {customer})) {
    out["identities"].push_back(json::parse(row.text(0)));
  }
  for (const Row& row : db_.query("SELECT id, store, box, type, time, data FROM ledger "
                                  "WHERE customer = $1 ORDER BY position",
                                  {customer})) {
    out["events"].push_back({{"id", row.text(0)},
                             {"store", row.text(1)},
                             {"box", row.text(2)},
                             {"type", row.text(3)},
                             {"time", row.text(4)},
                             {"data", json::parse(row.text(5))}});
  }
  for (const Row& row : db_.query("SELECT decision, campaign, variant, shown_at, opened_at, "
                                  "redeemed_at FROM offer WHERE customer = $1 ORDER BY shown_at",
                                  {customer})) {
    json offer = {{"decision", row.text(0)},
                  {"campaign", row.text(1)},
                  {"variant", row.text(2)},
                  {"shown_at", row.text(3)}};
    if (!row.null(4)) offer["opened_at"] = row.text(4);
    if (!row.null(5)) offer["redeemed_at"] = row.text(5);
    out["offers"].push_back(std::move(offer));
  }
  for (const Row& row : db_.query("SELECT kind, score, at FROM survey_answer WHERE customer = $1 "
                                  "ORDER BY at",
                                  {customer})) {
    out["survey_answers"].push_back(
        {{"kind", row.text(0)}, {"score", row.integer(1)}, {"at", row.text(2)}});
  }
  for (const Row& row : db_.query("SELECT kind, received_at, body FROM request WHERE customer = $1 "
                                  "ORDER BY position",
                                  {customer})) {
    out["app_requests"].push_back(
        {{"kind", row.text(0)}, {"at", row.text(1)}, {"body", json::parse(row.text(2))}});
  }
  for (const Row& row : db_.query("SELECT store, box, seen_on FROM sight WHERE customer = $1 "
                                  "ORDER BY store, box",
                                  {customer})) {
    out["profile_at"].push_back(
        {{"store", row.text(0)}, {"box", row.text(1)}, {"seen_on", row.text(2)}});
  }
  for (const Row& row :
       db_.query("SELECT door_session.device, door_session.made_at, door_session.seen_at, "
                 "push_device.endpoint FROM door_session LEFT JOIN push_device ON "
                 "push_device.session = door_session.token_hash "
                 "WHERE door_session.customer = $1 ORDER BY door_session.seen_at",
                 {customer})) {
    json device = {{"name", row.text(0)}, {"since", row.text(1)}, {"seen_at", row.text(2)}};
    if (!row.null(3)) device["push"] = row.text(3);
    out["devices"].push_back(std::move(device));
  }
  for (const Row& row : db_.query("SELECT name, made_at, used_at FROM passkey "
                                  "WHERE customer = $1 ORDER BY made_at",
                                  {customer})) {
    json passkey = {{"name", row.text(0)}, {"since", row.text(1)}};
    if (!row.null(2)) passkey["used_at"] = row.text(2);
    out["passkeys"].push_back(std::move(passkey));
  }
  for (const Row& row :
       db_.query("SELECT body FROM app_message WHERE customer = $1 ORDER BY at", {customer})) {
    out["shown"].push_back(json::parse(row.text(0)));
  }
  for (const Row& row : db_.query("SELECT store, purpose, at, expires_at FROM pending_consent "
                                  "WHERE customer = $1 ORDER BY at, purpose",
                                  {customer})) {
    out["desk_questions"].push_back({{"store", row.text(0)},
                                     {"purpose", row.text(1)},
                                     {"at", row.text(2)},
                                     {"expires_at", row.text(3)}});
  }
  return out;
}

}  // namespace welcome::crm
