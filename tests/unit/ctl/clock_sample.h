// SPDX-License-Identifier: Apache-2.0
#pragma once
// The part `clock` of a status, of a box that knows the time.

#include <nlohmann/json.hpp>

namespace welcome::ctl {

inline nlohmann::json clock_sample() {
  return {{"wall", "2026-05-04T08:00:00.000Z"},
          {"trusted", true},
          {"quality", "synchronised"},
          {"source", "ntp"},
          {"heard_s_ago", 40},
          {"heard", "2026-05-04T07:59:20.250Z"},
          {"machine", "2026-05-04T08:00:00.000Z"},
          {"deletes", true},
          {"words", "NTP keeps the machine's clock."}};
}

}  // namespace welcome::ctl
