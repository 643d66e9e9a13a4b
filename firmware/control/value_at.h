// SPDX-License-Identifier: Apache-2.0
#pragma once
// A value of an answer by its path, as control::Field names it. Pure, any thread.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace welcome::control {

// The value at "radio.restarts"; null when it is not there.
nlohmann::json value_at(const nlohmann::json& answer, std::string_view path);
// The text there; empty when it is not there, or no text.
std::string word_at(const nlohmann::json& answer, std::string_view path);

}  // namespace welcome::control
