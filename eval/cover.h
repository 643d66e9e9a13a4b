// SPDX-License-Identifier: Apache-2.0
#pragma once
// Imitations of covered faces: a picture as if the person wore a mask or sunglasses, held a hand
// before the mouth, or stood behind something. Drawn from the landmarks; like attack.h they show
// what such covers look like, and are no substitute for real ones.

#include <array>
#include <cstdint>
#include <string_view>

#include "vision/image.h"
#include "vision/recogniser.h"

namespace welcome::eval {

enum class Cover : std::uint8_t { mask, sunglasses, hand, lower_half };
inline constexpr std::array kCovers{Cover::mask, Cover::sunglasses, Cover::hand, Cover::lower_half};
std::string_view to_string(Cover cover);

// The same seed gives the same cover: colour, folds, fingers and light differ between seeds.
vision::Image covered(const vision::Image& original, const vision::Landmarks& landmarks,
                      Cover cover, std::uint64_t seed);

}  // namespace welcome::eval
