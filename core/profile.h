// SPDX-License-Identifier: Apache-2.0
#pragma once
// Profile: what the CRM lets the box know about a customer. Personal data: never logged.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/time.h"

namespace welcome {

struct Preference {
  std::string key;          // "drink"
  std::string value;        // "sparkling water, no ice"
  double confidence = 0.5;  // 0…1
  int confirmed = 0;        // how often staff or the customer said so
  std::optional<WallTime> last_confirmed;
  std::string source{};  // who says so: "staff", "app", …; may be empty
};

// How box and CRM learn, by one rule. Said again: 30 % closer to certain, which is never reached.
// Said otherwise: the new value, at 0.6.
void confirm(Preference& preference, WallTime at);
void change(Preference& preference, std::string value, WallTime at);

// How she wishes to be met: her own choice. Nobody is named who did not choose it.
enum class Met : std::uint8_t { quietly, by_name };
std::string_view to_string(Met met);
std::optional<Met> met_from_string(std::string_view text);

struct Conversation {
  std::string text;
  WallTime at;
};

struct Profile {
  CustomerId customer;
  std::string name;             // display name
  std::string greeting;         // how to address: "Ms Berg"
  std::string pronunciation;    // may be empty
  std::string language = "en";  // BCP 47
  std::string tier;
  std::int64_t points = 0;
  std::int64_t next_reward_points = 0;  // 0 = no next reward
  std::vector<Preference> preferences;
  std::vector<std::string> segments;
  std::vector<std::string> tags;
  std::vector<std::string> avoid;  // what not to bring up
  std::optional<Conversation> last_conversation;
  Met met = Met::quietly;
  // "Not today" was said then: no prompt and no offer until that day is over in the store.
  std::optional<WallTime> not_today_at = std::nullopt;
};

}  // namespace welcome
