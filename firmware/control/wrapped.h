// SPDX-License-Identifier: Apache-2.0
#pragma once
// Words in lines, for a terminal. Pure, any thread.

#include <cstddef>
#include <string>
#include <string_view>

namespace welcome::control {

// `text` in lines of at most `width`, each after the first with `indent` before it; the first
// begins behind as much.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 80);

}  // namespace welcome::control
