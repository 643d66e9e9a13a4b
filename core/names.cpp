// SPDX-License-Identifier: Apache-2.0
// The words of all enums, as they stand in messages, rows and logs.

#include "core/consent_gate.h"
#include "core/decision.h"
#include "core/enum_names.h"
#include "core/pipeline.h"

namespace welcome {

namespace {

constexpr EnumNames<ConsentState, 2> kConsentStateNames{{
    {ConsentState::given, "given"},
    {ConsentState::withdrawn, "withdrawn"},
}};

constexpr EnumNames<Function, 5> kFunctionNames{{
    {Function::face, "face"},
    {Function::offers, "offers"},
    {Function::prompts, "prompts"},
    {Function::surveys, "surveys"},
    {Function::all, "all"},
}};

constexpr EnumNames<ConsentVerdict, 9> kConsentVerdictNames{{
    {ConsentVerdict::permitted, "permitted"},
    {ConsentVerdict::never_given, "never_given"},
    {ConsentVerdict::withdrawn, "withdrawn"},
    {ConsentVerdict::expired, "expired"},
    {ConsentVerdict::stale, "stale"},
    {ConsentVerdict::clock_untrusted, "clock_untrusted"},
    {ConsentVerdict::forgotten, "forgotten"},
    {ConsentVerdict::paused, "paused"},
    {ConsentVerdict::not_yet, "not_yet"},
}};

constexpr EnumNames<Level, 3> kLevelNames{{
    {Level::near, "near"},
    {Level::present, "present"},
    {Level::confirmed, "confirmed"},
}};

constexpr EnumNames<TriggerOn, 5> kTriggerOnNames{{
    {TriggerOn::pass_by, "pass_by"},
    {TriggerOn::enter, "enter"},
    {TriggerOn::dwell, "dwell"},
    {TriggerOn::confirmed, "confirmed"},
    {TriggerOn::leave, "leave"},
}};

constexpr EnumNames<Period, 2> kPeriodNames{{
    {Period::day, "day"},
    {Period::week, "week"},
}};

constexpr EnumNames<VariantChoice, 3> kVariantChoiceNames{{
    {VariantChoice::rotate, "rotate"},
    {VariantChoice::sticky, "sticky"},
    {VariantChoice::learn, "learn"},
}};

constexpr EnumNames<SurveyKind, 3> kSurveyKindNames{{
    {SurveyKind::nps, "nps"},
    {SurveyKind::csat, "csat"},
    {SurveyKind::ces, "ces"},
}};

constexpr EnumNames<VisitEvent::Kind, 4> kVisitEventKindNames{{
    {VisitEvent::Kind::started, "started"},
    {VisitEvent::Kind::moved, "moved"},
    {VisitEvent::Kind::confirmed, "confirmed"},
    {VisitEvent::Kind::ended, "ended"},
}};

constexpr EnumNames<DecisionKind, 3> kDecisionKindNames{{
    {DecisionKind::offer, "offer"},
    {DecisionKind::prompt, "prompt"},
    {DecisionKind::survey, "survey"},
}};

constexpr EnumNames<Met, 2> kMetNames{{
    {Met::quietly, "quietly"},
    {Met::by_name, "by_name"},
}};

constexpr EnumNames<Reason, 24> kReasonNames{{
    {Reason::made, "made"},
    {Reason::not_in_audience, "not_in_audience"},
    {Reason::no_consent, "no_consent"},
    {Reason::paused, "paused"},
    {Reason::clock_untrusted, "clock_untrusted"},
    {Reason::no_policy, "no_policy"},
    {Reason::schedule, "schedule"},
    {Reason::holdout, "holdout"},
    {Reason::cap_campaign, "cap_campaign"},
    {Reason::cap_customer_day, "cap_customer_day"},
    {Reason::cap_customer_week, "cap_customer_week"},
    {Reason::min_gap, "min_gap"},
    {Reason::cap_store, "cap_store"},
    {Reason::budget, "budget"},
    {Reason::quiet_hours, "quiet_hours"},
    {Reason::fatigue, "fatigue"},
    {Reason::complaint, "complaint"},
    {Reason::not_today, "not_today"},
    {Reason::just_bought, "just_bought"},
    {Reason::already_inside, "already_inside"},
    {Reason::missing_value, "missing_value"},
    {Reason::level_too_low, "level_too_low"},
    {Reason::not_this_person, "not_this_person"},
    {Reason::expired, "expired"},
}};

constexpr EnumNames<PromptState, 5> kPromptStateNames{{
    {PromptState::fresh, "new"},
    {PromptState::claimed, "claimed"},
    {PromptState::greeted, "greeted"},
    {PromptState::served, "served"},
    {PromptState::declined, "declined"},
}};

constexpr EnumNames<Suggestion::Kind, 4> kSuggestionKindNames{{
    {Suggestion::Kind::offer, "offer"},
    {Suggestion::Kind::points, "points"},
    {Suggestion::Kind::ask, "ask"},
    {Suggestion::Kind::open, "open"},
}};

constexpr EnumNames<StaffAction::Kind, 9> kStaffActionKindNames{{
    {StaffAction::Kind::claim, "claim"},
    {StaffAction::Kind::release, "release"},
    {StaffAction::Kind::greeted, "greeted"},
    {StaffAction::Kind::served, "served"},
    {StaffAction::Kind::declined, "declined"},
    {StaffAction::Kind::not_this_person, "not_this_person"},
    {StaffAction::Kind::note, "note"},
    {StaffAction::Kind::preference, "preference"},
    {StaffAction::Kind::reopen, "reopen"},
}};

constexpr EnumNames<Outcome, 5> kOutcomeNames{{
    {Outcome::opened, "opened"},
    {Outcome::redeemed, "redeemed"},
    {Outcome::dismissed, "dismissed"},
    {Outcome::complaint, "complaint"},
    {Outcome::purchase, "purchase"},
}};

constexpr EnumNames<StateRow::Kind, 6> kStateRowKindNames{{
    {StateRow::Kind::visit, "visit"},
    {StateRow::Kind::facts, "facts"},
    {StateRow::Kind::decision, "decision"},
    {StateRow::Kind::store, "store"},
    {StateRow::Kind::recording, "recording"},
    {StateRow::Kind::device, "device"},
}};

}  // namespace

std::string_view to_string(ConsentState value) { return enum_name(kConsentStateNames, value); }

std::optional<ConsentState> consent_state_from_string(std::string_view text) {
  return enum_value(kConsentStateNames, text);
}

std::string_view to_string(Function value) { return enum_name(kFunctionNames, value); }

std::optional<Function> function_from_string(std::string_view text) {
  return enum_value(kFunctionNames, text);
}

std::string_view to_string(ConsentVerdict value) { return enum_name(kConsentVerdictNames, value); }

std::string_view to_string(Level value) { return enum_name(kLevelNames, value); }

std::optional<Level> level_from_string(std::string_view text) {
  return enum_value(kLevelNames, text);
}

std::string_view to_string(TriggerOn value) { return enum_name(kTriggerOnNames, value); }

std::optional<TriggerOn> trigger_on_from_string(std::string_view text) {
  return enum_value(kTriggerOnNames, text);
}

std::string_view to_string(Period value) { return enum_name(kPeriodNames, value); }

std::optional<Period> period_from_string(std::string_view text) {
  return enum_value(kPeriodNames, text);
}

std::string_view to_string(VariantChoice value) { return enum_name(kVariantChoiceNames, value); }

std::optional<VariantChoice> variant_choice_from_string(std::string_view text) {
  return enum_value(kVariantChoiceNames, text);
}

std::string_view to_string(SurveyKind value) { return enum_name(kSurveyKindNames, value); }

std::optional<SurveyKind> survey_kind_from_string(std::string_view text) {
  return enum_value(kSurveyKindNames, text);
}

std::string_view to_string(VisitEvent::Kind value) {
  return enum_name(kVisitEventKindNames, value);
}

std::string_view to_string(DecisionKind value) { return enum_name(kDecisionKindNames, value); }

std::optional<DecisionKind> decision_kind_from_string(std::string_view text) {
  return enum_value(kDecisionKindNames, text);
}

std::string_view to_string(Reason value) { return enum_name(kReasonNames, value); }

std::optional<Reason> reason_from_string(std::string_view text) {
  return enum_value(kReasonNames, text);
}

std::string_view to_string(PromptState value) { return enum_name(kPromptStateNames, value); }

std::optional<PromptState> prompt_state_from_string(std::string_view text) {
  return enum_value(kPromptStateNames, text);
}

std::string_view to_string(Suggestion::Kind value) {
  return enum_name(kSuggestionKindNames, value);
}

std::string_view to_string(StaffAction::Kind value) {
  return enum_name(kStaffActionKindNames, value);
}

std::optional<StaffAction::Kind> staff_action_from_string(std::string_view text) {
  return enum_value(kStaffActionKindNames, text);
}

std::string_view to_string(Outcome value) { return enum_name(kOutcomeNames, value); }

std::optional<Outcome> outcome_from_string(std::string_view text) {
  return enum_value(kOutcomeNames, text);
}

std::string_view to_string(StateRow::Kind value) { return enum_name(kStateRowKindNames, value); }

std::optional<StateRow::Kind> state_row_kind_from_string(std::string_view text) {
  return enum_value(kStateRowKindNames, text);
}

std::string_view to_string(Met value) { return enum_name(kMetNames, value); }

std::optional<Met> met_from_string(std::string_view text) { return enum_value(kMetNames, text); }

std::string_view plain_words(Reason reason) {
  switch (reason) {
    case Reason::made:
      return "nothing stood against it";
    case Reason::not_in_audience:
      return "the campaign is not meant for this customer";
    case Reason::no_consent:
      return "the customer has not agreed to it";
    case Reason::paused:
      return "head office has paused it";
    case Reason::clock_untrusted:
      return "the box does not know the time for sure";
    case Reason::no_policy:
      return "the box has no policy: no caps, and no quiet hours";
    case Reason::schedule:
      return "the campaign does not run at this time";
    case Reason::holdout:
      return "the customer is in the group that is not shown the campaign, for comparison";
    case Reason::cap_campaign:
      return "the customer has had this campaign often enough";
    case Reason::cap_customer_day:
      return "the customer has had the offers of this day";
    case Reason::cap_customer_week:
      return "the customer has had the offers of these seven days";
    case Reason::min_gap:
      return "the last one is not long enough ago";
    case Reason::cap_store:
      return "the store has made its offers of this day";
    case Reason::budget:
      return "the campaign's budget is spent";
    case Reason::quiet_hours:
      return "it is quiet hours";
    case Reason::fatigue:
      return "the customer has ignored the last offers and is left alone for a while";
    case Reason::complaint:
      return "the customer has complained lately";
    case Reason::not_today:
      return "the customer wishes to be left alone today";
    case Reason::just_bought:
      return "the customer has just bought this";
    case Reason::already_inside:
      return "it is for people outside, and the customer had come in";
    case Reason::missing_value:
      return "the text needs something that is not known of this customer";
    case Reason::level_too_low:
      return "it is not sure enough that it is this customer";
    case Reason::not_this_person:
      return "staff said that it is somebody else";
    case Reason::expired:
      return "it was too late";
  }
  return "?";
}

std::string_view family(Reason reason) {
  switch (reason) {
    case Reason::cap_campaign:
    case Reason::cap_customer_day:
    case Reason::cap_customer_week:
    case Reason::min_gap:
    case Reason::cap_store:
    case Reason::budget:
      return "cap";
    default:
      return to_string(reason);
  }
}

}  // namespace welcome
