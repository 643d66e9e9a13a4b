// SPDX-License-Identifier: Apache-2.0
#pragma once
// How deep the brackets of a JSON text are nested, before anybody parses it: a parser may take any
// depth and the copy of what it made then ends the stack. Pure; any thread.

#include <cstddef>
#include <string_view>

namespace welcome {

// Where the first bracket stands that is nested deeper than `depth_max`; npos: there is none.
// Brackets in strings do not count; the parser itself judges everything else.
std::size_t first_too_deep(std::string_view json, int depth_max);

}  // namespace welcome
