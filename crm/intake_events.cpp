// SPDX-License-Identifier: Apache-2.0
// What events of boxes do.

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <variant>

#include "core/pipeline.h"
#include "crm/intake.h"
#include "crm/wording.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

// Somebody who comes in this long after an offer (or after being held out) is counted for it.
constexpr auto kCameInWithin = 2h;

constexpr const char* kHeldOut = "holdout";

WallTime time_of(const std::string& text) {
  return contract::from_rfc3339(text).value_or(WallTime{});
}

// Which purpose an event needs. Nothing: any; but who gives none is not reported on at all.
struct Needs {
  using Purposes = std::optional<Purpose>;
  Purposes operator()(const contract::OfferNews&) const { return Purpose::proximity_offers; }
  Purposes operator()(const contract::VisitNews&) const { return Purpose::visit_analytics; }
  Purposes operator()(const contract::PromptNews&) const { return Purpose::visit_analytics; }
  Purposes operator()(const contract::SuppressedNews&) const { return Purpose::visit_analytics; }
  Purposes operator()(const contract::SurveyNews&) const { return Purpose::visit_analytics; }
  Purposes operator()(const contract::EnrolmentNews&) const { return Purpose::face_recognition; }
  Purposes operator()(const contract::StaffNews& news) const {
    const bool learns = news.action.kind == StaffAction::Kind::note ||
                        news.action.kind == StaffAction::Kind::preference;
    return learns ? Purposes(Purpose::preference_prompts) : std::nullopt;
  }
  Purposes operator()(const contract::SurveyAnswer&) const { return std::nullopt; }
  Purposes operator()(const contract::ConsentNews&) const { return std::nullopt; }
  Purposes operator()(const ErasureReceipt&) const { return std::nullopt; }
  Purposes operator()(const contract::ProfileWanted&) const { return std::nullopt; }
  Purposes operator()(const contract::FeedRejected&) const { return std::nullopt; }
  Purposes operator()(const contract::HealthNews&) const { return std::nullopt; }
  Purposes operator()(const contract::BoxRetired&) const { return std::nullopt; }
};

bool about_the_box(const contract::EventData& data) {
  return std::holds_alternative<contract::FeedRejected>(data) ||
         std::holds_alternative<contract::HealthNews>(data) ||
         std::holds_alternative<contract::BoxRetired>(data);
}

// How long a message on the page lives: as long as head office says from when it came, and no
// longer than the box said, by its clock and by ours.
WallTime life(const std::string& made_at, WallTime expires_at, std::chrono::milliseconds lives,
              WallTime now) {
  return std::min({expires_at, now + (expires_at - time_of(made_at)), now + lives});
}

}  // namespace

std::string Intake::without_consent(const Entry& entry, const contract::EventData& data,
                                    WallTime now) {
  if (std::holds_alternative<contract::ConsentNews>(data)) return {};
  const PurposeSet given = crm_.given(entry.customer, now);
  const auto needed = std::visit(Needs{}, data);
  if (needed && !given.has(*needed)) {
    return std::string(kNoConsent).append(to_string(*needed));
  }
  return given.empty() ? std::string(kNoConsent) + "anything" : std::string();
}

std::string Intake::act_on_event(Entry& entry, WallTime now) {
  const WallTime said = time_of(entry.time);
  // Whatever a box's clock says: nothing has happened later than it came.
  if (said > now + kClocksAgree) entry.time = contract::to_rfc3339(now);
  if (entry.type == contract::event_type(ErasureReceipt{})) {
    return on(entry, ErasureReceipt{}, now);
  }
  const auto data = contract::decode_event_data(entry.type, entry.body);
  if (!data) return std::string(kSetAside);
  if (!about_the_box(*data)) {
    if (entry.customer.empty()) return {};
    if (!crm_.app_of(entry.customer)) {
      say_unknown(entry, *data, now);
      return std::string(kNotBelieved) + std::string(kUnknown);
    }
    if (auto why = without_consent(entry, *data, now); !why.empty()) return why;
    const Word word{entry.store, entry.box, entry.customer, said, entry.body};
    if (const auto why = belief_.doubt(word, *data, now); !why.empty()) {
      if (why == kNotHere) take_back_at_the_desk(entry, *data, now);
      return std::string(kNotBelieved) + why;
    }
  }
  return std::visit([&](const auto& news) { return on(entry, news, now); }, *data);
}

// The box acts on what its desk wrote down until the CRM's record has it, and no withdrawal of
// somebody of another region would come to it.
void Intake::take_back_at_the_desk(const Entry& entry, const contract::EventData& data,
                                   WallTime now) {
  const auto* consent = std::get_if<contract::ConsentNews>(&data);
  if (consent == nullptr || consent->record_id.empty()) return;
  if (refused_in_an_hour(entry, kNotHere, now) >= kGrantsAnHour) return;
  crm_.feed().recall(entry.store, Collection::consents, consent->record_id, entry.customer);
}

std::int64_t Intake::refused_in_an_hour(const Entry& entry, std::string_view why, WallTime now) {
  return db_
      .query(
          "SELECT COUNT(*) FROM ledger WHERE type = 'com.welcomed.consent.changed.v1' AND "
          "received_at >= $1 AND store = $2 AND box = $3 AND handled = 1 AND note = $4",
          {contract::to_rfc3339(now - 1h), entry.store, entry.box,
           std::string(kNotBelieved) + std::string(why)})
      .at(0)
      .integer(0);
}

// A number that was mistyped at the desk, most likely: they hear of it while somebody stands there.
void Intake::say_unknown(const Entry& entry, const contract::EventData& data, WallTime now) {
  const auto* consent = std::get_if<contract::ConsentNews>(&data);
  if (consent == nullptr || !consent->given) return;
  if (refused_in_an_hour(entry, kUnknown, now) >= kGrantsAnHour) return;
  desk_.take_back({entry.id, entry.store, entry.box, entry.customer, *consent},
                  contract::Command::Reason::unknown, now);
}

std::string Intake::on(const Entry& entry, const contract::OfferNews& news, WallTime now) {
  if (news.expires_at <= now) return std::string(kTooLate);
  // The box may not have heard of it yet.
  if (crm_.not_today_until(entry.customer, now)) return std::string(kNotToday);
  const auto words = words_of_offer(crm_, entry.customer, news.campaign.str(), news.variant, now);
  if (!words) return std::string(kNotBelieved) + "an offer of no campaign";
  const bool first =
      db_.execute(
          "INSERT INTO offer (decision, store, customer, campaign, variant, shown_at) "
          "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
          {news.decision.str(), entry.store, entry.customer, news.campaign.str(), news.variant,
           entry.time}) == 1;
  if (!first) return "decision repeated";
  // Caps are per customer, and the other boxes of the store count too.
  contract::Command offered;
  offered.id = MessageId(entry.id + "/offered");
  offered.kind = contract::Command::Kind::offered;
  offered.customer = CustomerId(entry.customer);
  offered.decision = news.decision;
  offered.campaign = news.campaign;
  offered.variant = news.variant;
  offered.at = time_of(entry.time);
  tell_boxes(entry.store, entry.box, offered, now);
  PageMessage message;
  message.id = MessageId(entry.id);
  message.decision = news.decision;
  message.title = words->title;
  message.text = words->text;
  message.code = words->code;
  message.expires_at = life(entry.time, news.expires_at, words->lives, now);
  message.at = now;
  crm_.to_page(entry.customer, message, Purpose::proximity_offers);
  return {};
}

std::string Intake::on(const Entry& entry, const contract::SurveyNews& news, WallTime now) {
  if (news.expires_at <= now) return std::string(kTooLate);
  if (crm_.not_today_until(entry.customer, now)) return std::string(kNotToday);
  const auto words = words_of_survey(crm_, entry.customer, news.survey);
  if (!words) return std::string(kNotBelieved) + "a survey of no policy";
  PageMessage message;
  message.id = MessageId(entry.id);
  message.kind = PageMessage::Kind::survey;
  message.decision = news.decision;
  message.survey = news.survey;
  message.survey_kind = words->kind;
  message.question = words->question;
  message.expires_at = life(entry.time, news.expires_at, words->lives, now);
  message.at = now;
  crm_.to_page(entry.customer, message, Purpose::visit_analytics);
  return {};
}

// The hold-out is written beside the offers: it is what they are compared with.
std::string Intake::on(const Entry& entry, const contract::SuppressedNews& news, WallTime /*now*/) {
  if (news.reason != kHeldOut || news.campaign.empty()) return {};
  db_.execute(
      "INSERT INTO offer (decision, store, customer, campaign, variant, shown_at) "
      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
      {news.decision.str(), entry.store, entry.customer, news.campaign.str(), std::string(kHeldOut),
       entry.time});
  return {};
}

std::string Intake::on(const Entry& entry, const contract::VisitNews& news, WallTime /*now*/) {
  if (news.zone != Zone::inside && news.zone != Zone::desk) return {};
  db_.execute(
      "UPDATE offer SET came_in_at = $2 WHERE customer = $1 AND came_in_at IS NULL "
      "AND shown_at <= $2 AND shown_at >= $3",
      {entry.customer, entry.time, contract::to_rfc3339(time_of(entry.time) - kCameInWithin)});
  return {};
}

std::string Intake::on(const Entry& entry, const contract::StaffNews& news, WallTime /*now*/) {
  const StaffAction& action = news.action;
  Result<void> done;
  if (action.kind == StaffAction::Kind::note) {
    done = crm_.note_conversation(entry.customer, action.text, time_of(entry.time));
  } else if (action.kind == StaffAction::Kind::preference) {
    done = crm_.note_preference(entry.customer,
                                {action.preference_key, action.preference_value,
                                 action.verdict == StaffAction::Verdict::change},
                                time_of(entry.time));
  }
  return done ? std::string() : done.error().message;
}

// A withdrawal counts at once. A grant is the customer's own when it is confirmed.
std::string Intake::on(const Entry& entry, const contract::ConsentNews& news, WallTime now) {
  if (news.given) {
    const DeskConsents::Grant grant{entry.id, entry.store, entry.box, entry.customer, news};
    switch (desk_.judge(grant, now)) {
      case DeskConsents::Verdict::asked:
        return std::string(kWaits);
      case DeskConsents::Verdict::refused:
        ++counters_.not_confirmed;
        return std::string(kNotConfirmed);
      case DeskConsents::Verdict::confirmed:
        return write_grant(grant, news.confirm->by, now);
    }
  }
  ConsentChange change;
  change.customer = entry.customer;
  change.purpose = news.purpose;
  change.at = news.at;
  change.how = news.how.empty() ? "desk" : news.how;
  change.notice = news.notice;
  change.by_box = true;
  return change_consent(change, now);
}

// Whatever a box calls it, it was said at its desk.
std::string Intake::write_grant(const DeskConsents::Grant& grant, contract::Confirmation::By how,
                                WallTime now) {
  ConsentChange change;
  change.customer = grant.customer;
  change.purpose = grant.news.purpose;
  change.given = true;
  change.at = grant.news.at;
  change.how = "desk";
  change.notice = grant.news.notice;
  change.by_box = true;
  std::string why = change_consent(change, now);
  if (!why.empty()) return why;
  for (const json& record : crm_.consents(grant.customer)) {
    if (record.at("purpose") == to_string(grant.news.purpose)) {
      desk_.note(record.at("record_id"), grant.customer, grant.news.at, how, now);
    }
  }
  return {};
}

bool Intake::answer_desk(const std::string& customer, const std::string& question, bool yes,
                         WallTime now) {
  const auto grants = desk_.answered(customer, question, now);
  for (const DeskConsents::Grant& one : grants) {
    std::string note(kNotConfirmed);
    if (yes) {
      note = write_grant(one, contract::Confirmation::By::phone, now);
    } else {
      desk_.take_back(one, contract::Command::Reason::refused, now);
    }
    db_.execute("UPDATE ledger SET note = $2 WHERE id = $1", {one.event, note});
  }
  return !grants.empty();
}

std::string Intake::on(const Entry& entry, const contract::SurveyAnswer& news, WallTime /*now*/) {
  answer_survey(entry, entry.id, news.kind, news.score);
  return {};
}

// Judged as it was signed: with the customer's id, which the ledger does not have.
std::string Intake::on(const Entry& entry, const ErasureReceipt& /*news*/, WallTime now) {
  const auto taken = crm_.take_receipt(entry.store, entry.box, entry.body, now);
  if (taken) return {};
  ++counters_.receipts_refused;
  spdlog::warn("the erasure receipt of {}/{} does not count: {}", entry.store, entry.box,
               taken.error().message);
  return "refused: " + taken.error().message;
}

// Who was where is kept as a day, for as long as the box has the profile, and not in the ledger.
std::string Intake::on(const Entry& entry, const contract::ProfileWanted& /*news*/, WallTime now) {
  db_.execute("UPDATE ledger SET customer = '' WHERE position = $1", {entry.position});
  if (crm_.feed().sight().on()) crm_.feed().seen({entry.store, entry.box}, entry.customer, now);
  return {};
}

std::string Intake::on(const Entry& entry, const contract::FeedRejected& news, WallTime /*now*/) {
  crm_.box_refuses(entry.store, entry.box, news, entry.time);
  if (news.collection == Collection::policy && !news.over) {
    spdlog::error("{}/{} does not take the policy and keeps the one before it: {}", entry.store,
                  entry.box, news.reason);
  }
  return {};
}

// Written down is all.
std::string Intake::on(const Entry&, const contract::PromptNews&, WallTime) { return {}; }
std::string Intake::on(const Entry&, const contract::EnrolmentNews&, WallTime) { return {}; }
std::string Intake::on(const Entry&, const contract::HealthNews&, WallTime) { return {}; }
// It does not come this way (Server::let_go): who is retired has no ledger.
std::string Intake::on(const Entry&, const contract::BoxRetired&, WallTime) { return {}; }

}  // namespace welcome::crm
