// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a picture's own bytes say of it before anything is decoded: format, size, which way up, and
// whether it is all there. Pure; every length in the bytes is distrusted.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace welcome::vision {

enum class PictureFormat : std::uint8_t { jpeg, png, webp, bmp, pnm, heic, avif, gif };
std::string_view to_string(PictureFormat format);
bool is_supported(PictureFormat format);

struct PictureHeader {
  PictureFormat format = PictureFormat::jpeg;
  std::int64_t width = 0;  // of formats that are supported; 0: the bytes do not say
  std::int64_t height = 0;
  int orientation = 1;  // 1…8 as EXIF counts them; 1 = upright
  bool whole = true;    // false: it ends before it is over (of a JPEG its decoder tells)
};

// nullopt: no picture of a format that is known.
std::optional<PictureHeader> read_picture_header(std::span<const std::uint8_t> bytes);

}  // namespace welcome::vision
