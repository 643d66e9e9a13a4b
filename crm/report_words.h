// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the table of a report and its drawing write alike.

#include <array>
#include <cstdio>
#include <string>

namespace welcome::crm {

inline constexpr std::array kWeekdays{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
inline constexpr std::array kFunnel{"shown", "opened", "came in", "redeemed"};

inline std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

inline std::string percent(double share) { return number(share * 100.0) + " %"; }

}  // namespace welcome::crm
