// SPDX-License-Identifier: Apache-2.0
#pragma once
// Replay: makes the decisions of a recorded day again, by the rules of that day or by others, and
// says where they begin to differ and what each campaign would have done.
//
// Needs no store and no clock: any thread. Customers whose key is gone (withdrawn, erased) are left
// out and counted.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stop_token>
#include <vector>

#include "core/campaign.h"
#include "core/result.h"
#include "firmware/recording/cards.h"

namespace welcome::recording {

// Rules that take the place of those of the day: campaigns of the same id, others come on top.
struct OtherRules {
  std::vector<Campaign> campaigns;
  std::optional<Policy> policy;
  bool any() const { return policy || !campaigns.empty(); }
};

// {"campaigns": […], "policy": {…}}, as welcome-crm imports them. Errors: refused, with the reason.
Result<OtherRules> other_rules(const nlohmann::json& file);

struct ReplayOrder {
  std::vector<std::filesystem::path> files;  // oldest first
  CardKeys keys;
  OtherRules rules;
};

// The answer for welcomectl; its member "lines" is for people. Errors: unavailable (a file cannot
// be read), malformed (it is no recording), refused (stopped, or recorded in another version of the
// format).
Result<nlohmann::json> replay(const ReplayOrder& order, const std::stop_token& stop);

}  // namespace welcome::recording
