// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which campaigns may speak to a customer now, and with which words. Pure functions of what is
// known at that moment; the pipeline says when to ask. Internal to the core.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/campaign.h"
#include "core/decision.h"
#include "core/facts.h"
#include "core/learner.h"
#include "core/presence.h"
#include "core/profile.h"
#include "core/purpose.h"
#include "core/result.h"
#include "core/store_clock.h"
#include "core/text.h"

namespace welcome {

struct CampaignText {
  TextTemplate title;
  TextTemplate text;
};

struct CompiledCampaign {
  Campaign campaign;
  std::vector<std::map<std::string, CampaignText>> texts;  // per variant, by language
  Zone trigger_zone = Zone::street;
  std::uint64_t trigger_key = 0;
};

// Validates and parses the texts.
Result<CompiledCampaign> compile(Campaign campaign);
// Refuses a campaign that asks for what the policy protects.
Result<void> check_protected(const Campaign& campaign, const Policy& policy);

// Everything a rule may look at.
struct OfferContext {
  const Profile* profile = nullptr;     // null: not known, or no consent to use it
  std::vector<Preference> preferences;  // with what staff learnt, without what has faded
  const CustomerFacts* facts = nullptr;
  const Policy* policy = nullptr;
  bool has_policy = true;  // false: *policy is only what stands in for none
  const StoreClock* clock = nullptr;
  CustomerId customer;
  PurposeSet purposes;
  WallTime wall;
  bool wall_trusted = true;
  StoreClock::Local local;
  bool offers_paused = false;
  bool not_today = false;  // the customer wishes to be left alone
  int sent_today = 0;      // by the store, waiting ones included
};

using Steps = std::vector<Step>;

// What depends on the customer alone: the first rule that stands against an offer, or `made`.
Reason judge_customer(const OfferContext& context);
// Every rule that is asked, the later ones too.
void explain_customer(const OfferContext& context, Steps& steps);
// The end of quiet hours that hold an offer back.
std::optional<WallTime> held_until(const OfferContext& context);
// What depends on the campaign. Does not know the trigger and the hold-out.
Reason judge_campaign(const CompiledCampaign& campaign, const OfferContext& context,
                      std::int64_t budget_used, Steps* steps);
bool held_out(const Campaign& campaign, const OfferContext& context, Steps* steps);

std::size_t choose_variant(const Campaign& campaign, const OfferContext& context,
                           const Learner& learner, const std::string& segment, Steps* steps);

struct Rendered {
  std::string language;
  std::string title;
  std::string text;
};
// `not_found` names the value that is missing.
Result<Rendered> render(const CompiledCampaign& campaign, std::size_t variant,
                        const OfferContext& context);

// The words of a survey, in this language if it has it; `used`: in which.
std::string survey_question(const SurveyRule& rule, const std::string& language, std::string* used);

// The learner tells customers apart by the segments that the policy allows, and by nothing else.
std::string learning_segment(const OfferContext& context);

// Does this offer count for a cap?
bool counts(const OfferFact& offer);

}  // namespace welcome
