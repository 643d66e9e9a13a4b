// SPDX-License-Identifier: Apache-2.0
#pragma once
// JPEG by libjpeg itself: unlike OpenCV it says when a picture ends early or does not decode
// cleanly.

#include <cstdint>
#include <optional>
#include <span>

#include "vision/image.h"

namespace welcome::vision {

// BGR, not yet turned by its EXIF tag. nullopt: no JPEG, or one that is damaged or cut short. The
// header was looked at before (read_picture_header), so its size is bearable.
std::optional<Image> decode_jpeg(std::span<const std::uint8_t> bytes);

}  // namespace welcome::vision
