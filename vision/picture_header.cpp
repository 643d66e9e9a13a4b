// SPDX-License-Identifier: Apache-2.0
#include "vision/picture_header.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdlib>
#include <string>

namespace welcome::vision {
namespace {

using Bytes = std::span<const std::uint8_t>;

bool starts_with(Bytes bytes, std::string_view text, std::size_t at = 0) {
  if (bytes.size() < at + text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (bytes[at + i] != static_cast<std::uint8_t>(text[i])) return false;
  }
  return true;
}

// Numbers of `size` bytes; 0 beyond the end.
std::uint32_t big(Bytes bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = (value << 8U) | (at + i < bytes.size() ? bytes[at + i] : 0U);
  }
  return value;
}
std::uint32_t little(Bytes bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = size; i-- > 0;) {
    value = (value << 8U) | (at + i < bytes.size() ? bytes[at + i] : 0U);
  }
  return value;
}

// Tag 0x0112 of the first directory of an EXIF block ("II" or "MM" first, as in a TIFF file).
int exif_orientation(Bytes exif) {
  constexpr std::uint32_t kOrientation = 0x0112;
  const bool is_little = starts_with(exif, "II");
  if (!is_little && !starts_with(exif, "MM")) return 1;
  const auto number = [&](std::size_t at, std::size_t size) {
    return is_little ? little(exif, at, size) : big(exif, at, size);
  };
  const std::size_t directory = number(4, 4);
  if (directory >= exif.size()) return 1;
  const std::size_t entries = number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > exif.size()) break;
    if (number(entry, 2) != kOrientation) continue;
    const auto value = static_cast<int>(number(entry + 8, 2));
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

bool has_size(std::uint8_t marker) {  // SOF0…SOF15 without DHT, JPG and DAC
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Up to the first scan. Whether the scans are whole only their decoder can tell.
PictureHeader read_jpeg(Bytes bytes) {
  PictureHeader header{.format = PictureFormat::jpeg};
  std::size_t at = 2;
  while (at + 1 < bytes.size()) {
    if (bytes[at] != 0xFF || bytes[at + 1] == 0xFF) {  // filler, or bytes that belong to nothing
      ++at;
      continue;
    }
    const std::uint8_t marker = bytes[at + 1];
    at += 2;
    if (marker == 0xD9 || marker == 0xDA) break;
    if (marker == 0x00 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;
    const std::size_t length = big(bytes, at, 2);
    if (length < 2 || at + length > bytes.size()) break;
    if (has_size(marker) && length >= 7) {
      header.height = big(bytes, at + 3, 2);
      header.width = big(bytes, at + 5, 2);
    }
    constexpr std::string_view kExif("Exif\0\0", 6);
    if (marker == 0xE1 && starts_with(bytes, kExif, at + 2) && length > 8) {
      header.orientation = exif_orientation(bytes.subspan(at + 8, length - 8));
    }
    at += length;
  }
  return header;
}

PictureHeader read_png(Bytes bytes) {
  PictureHeader header{.format = PictureFormat::png, .whole = false};
  std::size_t at = 8;
  while (at + 8 <= bytes.size()) {
    const std::size_t length = big(bytes, at, 4);
    if (starts_with(bytes, "IEND", at + 4)) {
      header.whole = true;
      break;
    }
    if (length > bytes.size() - at - 8) break;
    if (starts_with(bytes, "IHDR", at + 4)) {
      header.width = big(bytes, at + 8, 4);
      header.height = big(bytes, at + 12, 4);
    } else if (starts_with(bytes, "eXIf", at + 4)) {
      header.orientation = exif_orientation(bytes.subspan(at + 8, length));
    }
    at += 12 + length;
  }
  return header;
}

void read_webp_chunk(Bytes chunk, PictureHeader& header) {
  if (starts_with(chunk, "VP8X") && chunk.size() >= 18) {
    header.width = std::int64_t{1} + little(chunk, 12, 3);
    header.height = std::int64_t{1} + little(chunk, 15, 3);
  } else if (starts_with(chunk, "VP8L") && chunk.size() >= 13) {
    const std::uint32_t sizes = little(chunk, 9, 4);
    header.width = std::max(header.width, std::int64_t{1} + (sizes & 0x3FFFU));
    header.height = std::max(header.height, std::int64_t{1} + ((sizes >> 14U) & 0x3FFFU));
  } else if (starts_with(chunk, "VP8 ") && chunk.size() >= 18) {
    header.width = std::max<std::int64_t>(header.width, little(chunk, 14, 2) & 0x3FFFU);
    header.height = std::max<std::int64_t>(header.height, little(chunk, 16, 2) & 0x3FFFU);
  } else if (starts_with(chunk, "EXIF")) {
    Bytes exif = chunk.subspan(8);
    constexpr std::string_view kPrefix("Exif\0\0", 6);  // some writers keep JPEG's
    if (starts_with(exif, kPrefix)) exif = exif.subspan(kPrefix.size());
    header.orientation = exif_orientation(exif);
  }
}

PictureHeader read_webp(Bytes bytes) {
  PictureHeader header{.format = PictureFormat::webp};
  const std::size_t length = little(bytes, 4, 4);
  header.whole = length + 8 <= bytes.size();
  bytes = bytes.first(std::min(bytes.size(), length + 8));
  std::size_t at = 12;
  while (at + 8 <= bytes.size()) {
    const std::size_t size = little(bytes, at + 4, 4);
    const std::size_t there = std::min(size, bytes.size() - at - 8);
    read_webp_chunk(bytes.subspan(at, 8 + there), header);
    at += 8 + size + (size & 1U);
  }
  return header;
}

std::int64_t whole_number(std::uint32_t bits) { return static_cast<std::int32_t>(bits); }

PictureHeader read_bmp(Bytes bytes) {
  PictureHeader header{.format = PictureFormat::bmp};
  const std::uint32_t info = little(bytes, 14, 4);
  std::uint32_t compression = 0;
  if (info == 12) {  // as OS/2 wrote them
    header.width = little(bytes, 18, 2);
    header.height = little(bytes, 20, 2);
  } else {
    header.width = whole_number(little(bytes, 18, 4));
    header.height = std::abs(whole_number(little(bytes, 22, 4)));  // negative: from the top
    compression = little(bytes, 30, 4);
  }
  const std::int64_t bits = little(bytes, info == 12 ? 24 : 28, 2);
  if (compression == 0 && header.width > 0) {
    const std::int64_t row = (header.width * bits + 31) / 32 * 4;
    const std::int64_t needed = little(bytes, 10, 4) + row * header.height;
    header.whole = needed <= static_cast<std::int64_t>(bytes.size());
  }
  return header;
}

// "P5 width height maximum", comments anywhere between, then one byte and the pixels.
PictureHeader read_pnm(Bytes bytes) {
  PictureHeader header{.format = PictureFormat::pnm};
  const std::uint8_t kind = bytes[1];
  std::array<std::int64_t, 3> numbers{0, 0, 1};
  const std::size_t count = kind == '1' || kind == '4' ? 2 : 3;
  std::size_t at = 2;
  for (std::size_t i = 0; i < count; ++i) {
    while (at < bytes.size() && (std::isspace(bytes[at]) != 0 || bytes[at] == '#')) {
      if (bytes[at] == '#') {
        while (at < bytes.size() && bytes[at] != '\n') ++at;
      } else {
        ++at;
      }
    }
    numbers[i] = 0;
    constexpr std::int64_t kTooLarge = 1'000'000'000;
    while (at < bytes.size() && std::isdigit(bytes[at]) != 0 && numbers[i] < kTooLarge) {
      numbers[i] = numbers[i] * 10 + (bytes[at++] - '0');
    }
  }
  header.width = numbers[0];
  header.height = numbers[1];
  const std::int64_t sample = numbers[2] > 255 ? 2 : 1;
  std::int64_t row = header.width * sample;
  if (kind == '4') row = (header.width + 7) / 8;
  if (kind == '6') row *= 3;
  constexpr std::int64_t kAbsurd = 1 << 20;  // refused by its size anyway; no overflow here
  const bool binary = kind >= '4';
  if (binary && header.width < kAbsurd && header.height < kAbsurd) {
    header.whole = static_cast<std::int64_t>(at) + 1 + row * header.height <=
                   static_cast<std::int64_t>(bytes.size());
  }
  return header;
}

// The "ftyp" box of an ISO media file names its brands.
std::optional<PictureHeader> read_iso_media(Bytes bytes) {
  const std::size_t end = std::min<std::size_t>({bytes.size(), big(bytes, 0, 4), 64});
  const auto has = [&](std::string_view brand) {
    for (std::size_t at = 8; at + 4 <= end; at += 4) {
      if (starts_with(bytes, brand, at)) return true;
    }
    return false;
  };
  // AVIF first: its files may carry HEIC's general brands as well.
  if (has("avif") || has("avis")) return PictureHeader{.format = PictureFormat::avif};
  for (const std::string_view brand : {"heic", "heix", "hevc", "heim", "heis", "mif1", "msf1"}) {
    if (has(brand)) return PictureHeader{.format = PictureFormat::heic};
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(PictureFormat format) {
  switch (format) {
    case PictureFormat::jpeg:
      return "JPEG";
    case PictureFormat::png:
      return "PNG";
    case PictureFormat::webp:
      return "WebP";
    case PictureFormat::bmp:
      return "BMP";
    case PictureFormat::pnm:
      return "PNM";
    case PictureFormat::heic:
      return "HEIC";
    case PictureFormat::avif:
      return "AVIF";
    case PictureFormat::gif:
      return "GIF";
  }
  return "";
}

bool is_supported(PictureFormat format) { return format <= PictureFormat::pnm; }

std::optional<PictureHeader> read_picture_header(Bytes bytes) {
  if (bytes.size() < 12) return std::nullopt;
  if (starts_with(bytes, "\xFF\xD8\xFF")) return read_jpeg(bytes);
  if (starts_with(bytes, "\x89PNG\r\n\x1A\n")) return read_png(bytes);
  if (starts_with(bytes, "RIFF") && starts_with(bytes, "WEBP", 8)) return read_webp(bytes);
  if (starts_with(bytes, "BM")) return read_bmp(bytes);
  if (bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6') return read_pnm(bytes);
  if (starts_with(bytes, "GIF8")) return PictureHeader{.format = PictureFormat::gif};
  if (starts_with(bytes, "ftyp", 4)) return read_iso_media(bytes);
  return std::nullopt;
}

}  // namespace welcome::vision
