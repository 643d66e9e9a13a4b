// SPDX-License-Identifier: Apache-2.0
#pragma once
// The live table of `welcomectl radio watch` as text. Pure.

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace welcome::ctl {

// Lines no wider than `columns`, no more than `rows` of them; the last says what was left out.
std::string radio_table(const nlohmann::json& table, std::size_t columns, std::size_t rows);
// The same in one line, for a log or a pipe.
std::string radio_line(const nlohmann::json& table);

}  // namespace welcome::ctl
