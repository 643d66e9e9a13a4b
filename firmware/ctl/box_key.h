// SPDX-License-Identifier: Apache-2.0
#pragma once
// The file of the box key, while it is changed: two lines, the key in use and the next one. A box
// opens its database with either, so it may be stopped at any moment.

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace welcome::ctl {

// What the file of a box key says: hexadecimal digits; `next` while it is changed.
struct BoxKeyText {
  std::string key;
  std::string next;
};
// 32 bytes, raw or as 64 digits, or two lines of digits. Nothing: it is something else.
std::optional<BoxKeyText> box_key_text(std::string_view text);

// Writes a new random key beside the one in use. Errors: refused (it is being changed already),
// not_found, malformed, unavailable.
Result<void> begin_key_change(const std::string& file);
// Leaves the new one alone. Errors as above; refused: there is only one.
Result<void> end_key_change(const std::string& file);

}  // namespace welcome::ctl
