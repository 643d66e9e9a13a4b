// SPDX-License-Identifier: Apache-2.0
#include "crm/lookups.h"

#include <nlohmann/json.hpp>

namespace welcome::crm {

contract::Found Lookups::answer(const BoxKey& box, const contract::Lookup& lookup, Steady now) {
  using Answer = contract::Found::Answer;
  if (too_often(box, now)) return {lookup.id, Answer::too_often};
  const auto profile = crm_.profile(lookup.customer.str());
  if (!profile) return {lookup.id, Answer::unknown};
  return {lookup.id, Answer::known, profile->value("name", ""), crm_.page_address()};
}

bool Lookups::too_often(const BoxKey& box, Steady now) {
  auto& asked = asked_[box];
  while (!asked.empty() && now - asked.front() >= std::chrono::hours(1)) asked.pop_front();
  if (asked.size() >= kAnHour) return true;
  asked.push_back(now);
  return false;
}

}  // namespace welcome::crm
