// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers of the daemon as a person reads them: an array of objects as a table, an object as an
// indented list, {"lines": […], …} as plain text.

#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>

namespace welcome::ctl {

void print(std::ostream& out, const nlohmann::json& data);

// Text for a terminal: what is there for it alone (escape sequences, carriage returns, directions
// of writing) may have been put into a name by somebody. Lines stay.
std::string for_terminal(const std::string& text);

}  // namespace welcome::ctl
