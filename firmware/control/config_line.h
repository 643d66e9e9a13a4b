// SPDX-License-Identifier: Apache-2.0
#pragma once
// A line of a configuration file: what welcomed reads of it and what welcomectl writes into it go
// by the same two rules. Pure, any thread.

#include <cstddef>
#include <string_view>

namespace welcome::control {

// White space, within a line.
inline constexpr std::string_view kConfigSpace = " \t\r";

// Without white space at both ends.
constexpr std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kConfigSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kConfigSpace) - first + 1);
}

// Where a comment begins: at a '#' at the start of the line or behind white space; the line's end
// where there is none.
constexpr std::size_t comment_at(std::string_view line) {
  for (auto at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at == 0 || kConfigSpace.find(line[at - 1]) != std::string_view::npos) return at;
  }
  return line.size();
}

}  // namespace welcome::control
