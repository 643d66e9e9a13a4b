// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/replay.h"

#include <nlohmann/json.hpp>
#include <string>

#include "contract/items.h"
#include "firmware/recording/player.h"

namespace welcome::recording {

using nlohmann::json;

Result<OtherRules> other_rules(const json& file) {
  OtherRules rules;
  if (!file.is_object()) {
    return fail(ErrorCode::refused, "not an object with \"campaigns\" or \"policy\"");
  }
  for (const auto& [name, value] : file.items()) {
    if (name != "campaigns" && name != "policy") {
      return fail(ErrorCode::refused,
                  "\"" + name.substr(0, 40) + "\" is neither campaigns nor policy");
    }
  }
  const json campaigns = file.value("campaigns", json::array());
  if (!campaigns.is_array()) return fail(ErrorCode::refused, "campaigns: not a list");
  for (const json& c : campaigns) {
    const auto written = contract::check_written(contract::Collection::campaigns, c.dump());
    if (!written) {
      return fail(ErrorCode::refused, "campaign " + std::to_string(rules.campaigns.size() + 1) +
                                          ": " + written.error().message);
    }
    auto item = contract::decode_item(contract::Collection::campaigns, c.dump());
    rules.campaigns.push_back(std::get<Campaign>(std::move(*item)));
  }
  if (const auto policy = file.find("policy"); policy != file.end()) {
    const auto written = contract::check_written(contract::Collection::policy, policy->dump());
    if (!written) return fail(ErrorCode::refused, "policy: " + written.error().message);
    auto item = contract::decode_item(contract::Collection::policy, policy->dump());
    rules.policy = std::get<Policy>(std::move(*item));
  }
  return rules;
}

Result<json> replay(const ReplayOrder& order, const std::stop_token& stop) {
  Player player(order, stop);
  for (const auto& file : order.files) {
    if (auto played = player.play(file); !played) return tl::unexpected(played.error());
  }
  return player.comparison().report(order.files);
}

}  // namespace welcome::recording
