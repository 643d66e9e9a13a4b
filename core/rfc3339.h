// SPDX-License-Identifier: Apache-2.0
#pragma once
// Times as text (RFC 3339). Pure, any thread.

#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace welcome {

// In UTC with milliseconds: "2026-05-04T08:15:30.250Z".
std::string to_rfc3339(WallTime time);
// Accepts 0…9 digits of a second's fraction, cut to milliseconds; the zone must be Z.
std::optional<WallTime> from_rfc3339(std::string_view text);

}  // namespace welcome
