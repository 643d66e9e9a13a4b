// SPDX-License-Identifier: Apache-2.0
// What customers ask for on their page.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/pipeline.h"
#include "crm/intake.h"

namespace welcome::crm {
namespace {

using Kind = contract::DoorRequest::Kind;

std::optional<Outcome> outcome_of(Kind kind) {
  switch (kind) {
    case Kind::offer_opened:
      return Outcome::opened;
    case Kind::offer_redeemed:
      return Outcome::redeemed;
    case Kind::offer_dismissed:
      return Outcome::dismissed;
    case Kind::complaint:
      return Outcome::complaint;
    default:
      return std::nullopt;
  }
}

// What came of an offer is written down the first time.
void note_outcome(Database& db, const DecisionId& decision, Outcome outcome,
                  const std::string& at) {
  const std::vector<Value> values{decision.str(), at};
  if (outcome == Outcome::opened) {
    db.execute("UPDATE offer SET opened_at = $2 WHERE decision = $1 AND opened_at IS NULL", values);
  } else if (outcome == Outcome::redeemed) {
    db.execute("UPDATE offer SET redeemed_at = $2 WHERE decision = $1 AND redeemed_at IS NULL",
               values);
  } else if (outcome == Outcome::dismissed) {
    db.execute("UPDATE offer SET dismissed_at = $2 WHERE decision = $1 AND dismissed_at IS NULL",
               values);
  }
}

}  // namespace

std::string Intake::act_on_request(const Entry& entry, WallTime now) {
  if (!crm_.app_of(entry.customer)) return std::string(kUnknown);
  const auto request = contract::decode_door_request(entry.body);
  if (!request) return std::string(kSetAside);
  switch (request->kind) {
    case Kind::consent_set: {
      ConsentChange change;
      change.customer = entry.customer;
      change.purpose = *request->purpose;
      change.given = request->given;
      change.at = request->at;
      change.how = "app";
      change.notice = request->notice;
      return change_consent(change, now);
    }
    case Kind::offer_opened:
    case Kind::offer_redeemed:
    case Kind::offer_dismissed:
    case Kind::complaint:
      return outcome(entry, *request, now) ? "" : "unknown decision";
    case Kind::survey_answer:
      answer_survey(entry, entry.app + "/" + entry.id, request->survey_kind, request->score);
      if (crm_.take_off_page(entry.customer, request->survey)) {
        crm_.tell_page(entry.customer, "offers", now);
      }
      return {};
    case Kind::met_set:
      return set_met(entry, *request, now);
    case Kind::details_set: {
      const auto done = crm_.set_details(entry.customer, request->details,
                                         std::min(request->at.value_or(now), now));
      if (!done) return done.error().message;
      crm_.tell_page(entry.customer, "profile", now);
      return {};
    }
  }
  return {};
}

std::string Intake::set_met(const Entry& entry, const contract::DoorRequest& request,
                            WallTime now) {
  const WallTime at = std::min(request.at.value_or(now), now);
  const auto done = crm_.set_met(entry.customer, request.met, at);
  if (!done) return done.error().message;
  crm_.tell_page(entry.customer, "profile", now);
  return {};
}

std::string Intake::change_consent(const ConsentChange& change, WallTime now) {
  const auto record = crm_.set_consent(change, now);
  return record ? std::string() : record.error().message;
}

// The boxes that decide about the next offer hear of it; a complaint is for all stores.
bool Intake::outcome(const Entry& entry, const contract::DoorRequest& request, WallTime now) {
  contract::Command command;
  command.id = MessageId(entry.app + "/" + entry.id);
  command.kind = contract::Command::Kind::outcome;
  command.customer = CustomerId(entry.customer);
  command.at = contract::from_rfc3339(entry.time).value_or(now);
  command.outcome = *outcome_of(request.kind);
  std::string store;
  if (request.kind != Kind::complaint) {
    const Rows rows = db_.query("SELECT store FROM offer WHERE decision = $1 AND customer = $2",
                                {request.decision.str(), entry.customer});
    if (rows.empty()) return false;
    store = rows[0].text(0);
    command.decision = request.decision;
    note_outcome(db_, request.decision, command.outcome, entry.time);
    crm_.tell_page(entry.customer, "offers", now);
  }
  tell_boxes(store, "", command, now);
  return true;
}

void Intake::answer_survey(const Entry& entry, const std::string& id, SurveyKind kind, int score) {
  db_.execute(
      "INSERT INTO survey_answer (id, customer, kind, campaign, score, at) "
      "VALUES ($1, $2, $3, '', $4, $5) ON CONFLICT DO NOTHING",
      {id, entry.customer, std::string(to_string(kind)), std::int64_t{score}, entry.time});
}

}  // namespace welcome::crm
