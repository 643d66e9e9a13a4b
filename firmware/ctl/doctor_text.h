// SPDX-License-Identifier: Apache-2.0
#pragma once
// The nine lights of a box for a technician: 80 columns, a line for each and what to do below the
// ones that are not green. Pure.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace welcome::ctl {

// `findings` as `doctor` answers. `coloured`: with a terminal's colours.
std::string doctor_text(const nlohmann::json& findings, bool coloured);
// No light is red.
bool is_well(const nlohmann::json& findings);

// What cameras see, each with advice.
std::string camera_text(const nlohmann::json& views);

}  // namespace welcome::ctl
