// SPDX-License-Identifier: Apache-2.0
#pragma once
// Text as HTML and SVG have it, also inside of quotes. Pure, any thread.

#include <string>
#include <string_view>

namespace welcome::crm {

std::string escape_markup(std::string_view text);

}  // namespace welcome::crm
