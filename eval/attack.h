// SPDX-License-Identifier: Apache-2.0
#pragma once
// Imitations of presentation attacks: a picture as if it were printed on paper, or shown on a
// screen, and filmed again. They carry what such copies show (border, perspective, flat contrast,
// moiré, glare, noise), and are no substitute for real prints and screens: docs/evaluation.md.

#include <cstdint>
#include <optional>
#include <string_view>

#include "vision/image.h"

namespace welcome::eval {

enum class Attack : std::uint8_t { print, screen };
std::optional<Attack> attack_from_string(std::string_view text);

// The same seed gives the same copy. The result is a third larger than the original.
vision::Image imitate(const vision::Image& original, Attack attack, std::uint64_t seed);

}  // namespace welcome::eval
