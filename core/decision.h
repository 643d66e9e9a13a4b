// SPDX-License-Identifier: Apache-2.0
#pragma once
// Decision: an offer, a prompt or a survey that was made or suppressed, with the reason and the
// whole chain behind it. Prompt: what the tablet shows; updated in place while the visit lasts.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/campaign.h"
#include "core/claim.h"
#include "core/ids.h"
#include "core/level.h"
#include "core/profile.h"
#include "core/time.h"

namespace welcome {

enum class DecisionKind : std::uint8_t { offer, prompt, survey };
std::string_view to_string(DecisionKind kind);
std::optional<DecisionKind> decision_kind_from_string(std::string_view text);

enum class Reason : std::uint8_t {
  made,
  not_in_audience,
  no_consent,
  paused,
  clock_untrusted,
  no_policy,  // nothing says how often, and when not
  schedule,
  holdout,
  cap_campaign,  // per customer and campaign
  cap_customer_day,
  cap_customer_week,
  min_gap,
  cap_store,
  budget,
  quiet_hours,
  fatigue,
  complaint,
  not_today,  // the customer said so
  just_bought,
  already_inside,   // a walk-by offer for somebody who has come in
  missing_value,    // the text needs a value that this customer does not have
  level_too_low,    // a prompt that policy wants confirmed first
  not_this_person,  // staff said so during this visit
  expired,
};
std::string_view to_string(Reason reason);
std::optional<Reason> reason_from_string(std::string_view text);
// For people: "the customer has had the offers of this day".
std::string_view plain_words(Reason reason);
// The family that counters and the CRM see: all caps are "cap"; the others as they are.
std::string_view family(Reason reason);

// One link of the chain, in plain words; never a name.
struct Step {
  std::string rule;  // "consent: proximity_offers"
  bool passed = true;
  std::string detail;  // "given 2026-05-02 10:00, no expiry"
};

struct Decision {
  DecisionId id;
  DecisionKind kind = DecisionKind::offer;
  Reason reason = Reason::made;
  CustomerId customer;
  VisitId visit;
  CampaignId campaign;  // offers
  std::string variant;
  std::string language;
  std::string title;
  std::string text;
  std::string code;
  std::string survey;  // surveys: the rule's id
  std::optional<SurveyKind> survey_kind;
  std::vector<Step> steps;
  WallTime at;
  WallTime expires_at;
  std::optional<WallTime> not_before;  // held over quiet hours: do not send earlier
  bool waits_for_store = false;  // an offer that the other boxes of the store have yet to agree to
  bool report = false;  // may go to the CRM (a made offer or survey always; others by consent)

  bool made() const { return reason == Reason::made; }
};

struct PromptPreference {
  std::string key;
  std::string text;    // "sparkling water, no ice"
  std::string detail;  // "confirmed twice, last in May": the same as the next three, in English
  std::string source;
  int confirmed = 0;
  std::optional<WallTime> last_confirmed;
};

// What staff could do first. The tablet has the words for it.
struct Suggestion {
  enum class Kind : std::uint8_t {
    offer,   // `value`, which is liked
    points,  // mention that `points` are left to the next reward
    ask,     // whether `value` is still right
    open,    // what would be welcome today
  };
  Kind kind = Kind::open;
  std::string value;
  std::int64_t points = 0;
};
std::string_view to_string(Suggestion::Kind kind);

enum class PromptState : std::uint8_t { fresh, claimed, greeted, served, declined };
std::string_view to_string(PromptState state);  // fresh is "new"
std::optional<PromptState> prompt_state_from_string(std::string_view text);

struct Prompt {
  VisitId visit;
  DecisionId decision;
  CustomerId customer;
  Level level = Level::near;
  std::vector<std::string> by;  // "phone", "beacon", "app", "face"
  std::string name;
  Met met = Met::quietly;
  std::string greeting;  // these two only of somebody who is to be met by name
  std::string pronunciation;
  std::string tier;
  std::int64_t points = 0;
  std::int64_t next_reward_points = 0;
  std::string headline;  // "This may be Paul Moreau"; names nobody who is met quietly
  std::vector<PromptPreference> preferences;
  std::optional<Conversation> last_conversation;
  Suggestion suggest;
  std::string suggestion;  // the same, in English
  std::vector<std::string> avoid;
  Zone zone = Zone::away;
  WallTime since;
  PromptState state = PromptState::fresh;
  StaffId claimed_by;
  WallTime expires_at;
  std::optional<WallTime> left_at;  // the visit is over; what was said may still be noted
  bool rehearsal = false;
};

}  // namespace welcome
