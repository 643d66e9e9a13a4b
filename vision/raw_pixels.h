// SPDX-License-Identifier: Apache-2.0
#pragma once
// Raw pictures as cameras of the kernel give them, by V4L2's four letters. Pure.

#include <cstdint>
#include <optional>
#include <span>

#include "core/result.h"
#include "vision/image.h"

namespace welcome::vision {

// Those that can be decoded, the best first: colour, then grey (infrared).
std::span<const std::uint32_t> raw_formats();

// `stride`: bytes from one line to the next of the first plane. Errors: malformed (too short, or a
// format that is none of raw_formats()).
Result<Image> image_from_raw(std::uint32_t format, std::span<const std::uint8_t> bytes, int width,
                             int height, std::size_t stride);

}  // namespace welcome::vision
