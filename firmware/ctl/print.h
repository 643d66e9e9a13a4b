// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers of the daemon as a person reads them: an array of objects as a table, an object as an
// indented list, {"lines": […], …} as plain text.

#include <iosfwd>
#include <nlohmann/json.hpp>

namespace welcome::ctl {

void print(std::ostream& out, const nlohmann::json& data);

}  // namespace welcome::ctl
