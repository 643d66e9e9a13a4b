// SPDX-License-Identifier: Apache-2.0
#pragma once
// The status of a box on one screen, 80 columns and 24 lines: what a technician looks at first, and
// at the end what is wrong. Pure; an answer of another shape is shown as far as it goes.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace welcome::ctl {

std::string status_text(const nlohmann::json& status);
// The answer to `clock`.
std::string clock_text(const nlohmann::json& clock);

}  // namespace welcome::ctl
