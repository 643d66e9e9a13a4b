// SPDX-License-Identifier: Apache-2.0
#include "crm/wording.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "contract/items.h"
#include "core/offers.h"
#include "core/prompts.h"

namespace welcome::crm {
namespace {

template <class T>
std::optional<T> item(Crm& crm, Collection collection, const std::string& key) {
  const auto found = crm.feed().get(collection, key);
  if (!found) return std::nullopt;
  auto decoded = contract::decode_item(collection, found->value);
  if (!decoded) return std::nullopt;
  return std::get<T>(std::move(*decoded));
}

std::string language_of(Crm& crm, const std::string& customer) {
  const auto profile = item<Profile>(crm, Collection::profiles, customer);
  return profile ? profile->language : "en";
}

// As a box sees them: only who agreed to personal offers is spoken to by name.
std::optional<Profile> profile_for_offers(Crm& crm, const std::string& customer, WallTime now) {
  if (!crm.given(customer, now).has(Purpose::personalised_offers)) return std::nullopt;
  return item<Profile>(crm, Collection::profiles, customer);
}

}  // namespace

std::optional<OfferWords> words_of_offer(Crm& crm, const std::string& customer,
                                         const std::string& campaign, const std::string& variant,
                                         WallTime now) {
  auto found = item<Campaign>(crm, Collection::campaigns, campaign);
  if (!found) return std::nullopt;
  const auto compiled = compile(std::move(*found));
  if (!compiled) return std::nullopt;
  const auto& variants = compiled->campaign.variants;
  const auto chosen = std::find_if(variants.begin(), variants.end(),
                                   [&](const auto& one) { return one.id == variant; });
  if (chosen == variants.end()) return std::nullopt;
  const auto profile = profile_for_offers(crm, customer, now);
  OfferContext context;
  if (profile) {
    context.profile = &*profile;
    context.preferences = lasting_preferences(*profile, CustomerFacts{}, now);
  }
  auto words = render(*compiled, static_cast<std::size_t>(chosen - variants.begin()), context);
  if (!words) return std::nullopt;
  return OfferWords{std::move(words->title), std::move(words->text), compiled->campaign.code,
                    compiled->campaign.expires};
}

std::optional<SurveyWords> words_of_survey(Crm& crm, const std::string& customer,
                                           const std::string& survey) {
  const auto policy = item<Policy>(crm, Collection::policy, "policy");
  if (!policy) return std::nullopt;
  const auto rule = std::find_if(policy->surveys.begin(), policy->surveys.end(),
                                 [&](const SurveyRule& one) { return one.id == survey; });
  if (rule == policy->surveys.end()) return std::nullopt;
  std::string used;
  return SurveyWords{rule->kind, survey_question(*rule, language_of(crm, customer), &used),
                     rule->expires};
}

}  // namespace welcome::crm
