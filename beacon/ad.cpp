// SPDX-License-Identifier: Apache-2.0
#include "beacon/ad.h"

#include <algorithm>

namespace welcome::beacon {
namespace {

constexpr std::uint16_t kApple = 0x004C;
constexpr std::uint16_t kEddystoneUuid = 0xFEAA;
constexpr std::uint16_t kUriBeaconUuid = 0xFED8;
constexpr std::uint16_t kExposureUuid = 0xFD6F;

std::uint16_t le16(Bytes b, std::size_t i) {
  return static_cast<std::uint16_t>(b[i] | (b[i + 1] << 8U));
}
std::uint16_t be16(Bytes b, std::size_t i) {
  return static_cast<std::uint16_t>((b[i] << 8U) | b[i + 1]);
}
std::uint32_t be32(Bytes b, std::size_t i) {
  return (std::uint32_t{be16(b, i)} << 16U) | be16(b, i + 2);
}
std::int8_t s8(Bytes b, std::size_t i) { return static_cast<std::int8_t>(b[i]); }

template <std::size_t N>
std::array<std::uint8_t, N> take(Bytes b, std::size_t from) {
  std::array<std::uint8_t, N> out{};
  std::copy_n(b.begin() + static_cast<std::ptrdiff_t>(from), N, out.begin());
  return out;
}

// Eddystone-URL, "URL Scheme Prefix" and "Eddystone-URL HTTP URL encoding".
std::optional<std::string> expand_url(Bytes encoded) {
  static constexpr std::array<std::string_view, 4> kSchemes{"http://www.", "https://www.",
                                                            "http://", "https://"};
  static constexpr std::array<std::string_view, 14> kExpansions{
      ".com/", ".org/", ".edu/", ".net/", ".info/", ".biz/", ".gov/",
      ".com",  ".org",  ".edu",  ".net",  ".info",  ".biz",  ".gov"};
  if (encoded.empty() || encoded[0] >= kSchemes.size()) return std::nullopt;
  std::string url{kSchemes[encoded[0]]};
  for (const std::uint8_t c : encoded.subspan(1)) {
    if (c < kExpansions.size()) {
      url += kExpansions[c];
    } else if (c > 0x20 && c < 0x7F) {
      url += static_cast<char>(c);
    } else {
      return std::nullopt;  // reserved
    }
  }
  return url;
}

// Other projects put payloads of their own under this UUID, so every frame's length is checked.
std::optional<Frame> decode_eddystone(Bytes b) {
  if (b.empty()) return std::nullopt;
  switch (b[0]) {
    case 0x00:  // UID; the two reserved bytes at the end are often left out
      if (b.size() != 18 && b.size() != 20) return std::nullopt;
      return EddystoneUid{take<16>(b, 2), s8(b, 1)};
    case 0x10: {
      constexpr std::size_t kLongest = 20;  // type, power, scheme, 17 bytes of URL
      if (b.size() < 4 || b.size() > kLongest) return std::nullopt;
      auto url = expand_url(b.subspan(2));
      if (!url) return std::nullopt;
      return EddystoneUrl{std::move(*url), s8(b, 1)};
    }
    case 0x20:
      if (b.size() == 14 && b[1] == 0x00) {
        return EddystoneTlm{be16(b, 2), static_cast<std::int16_t>(be16(b, 4)), be32(b, 6),
                            be32(b, 10)};
      }
      if (b.size() == 18 && b[1] == 0x01) {
        return EddystoneEtlm{take<12>(b, 2), be16(b, 14), be16(b, 16)};
      }
      return std::nullopt;
    case 0x30:
      if (b.size() != 10) return std::nullopt;
      return EddystoneEid{take<8>(b, 2), s8(b, 1)};
    case 0x40:
    case 0x41:
      return FindHub{b[0]};
    default:
      return std::nullopt;
  }
}

std::optional<Frame> decode_service_data(Bytes b) {
  if (b.size() < 2) return std::nullopt;
  const Bytes data = b.subspan(2);
  switch (le16(b, 0)) {
    case kEddystoneUuid:
      return decode_eddystone(data);
    case kExposureUuid:
      if (data.size() != 20) return std::nullopt;
      return ExposureNotification{take<16>(data, 0), take<4>(data, 16)};
    case kUriBeaconUuid: {
      if (data.size() < 4) return std::nullopt;  // flags, power, scheme, text
      auto url = expand_url(data.subspan(2));
      if (!url) return std::nullopt;
      return UriBeacon{std::move(*url)};
    }
    default:
      return std::nullopt;
  }
}

// One Apple AD may hold several messages: type, length, data.
std::optional<Frame> decode_apple(Bytes messages) {
  while (messages.size() >= 2) {
    const std::size_t length = messages[1];
    if (length > messages.size() - 2) return std::nullopt;
    if (messages[0] == 0x02 && length == 0x15) {
      return IBeacon{take<20>(messages, 2), s8(messages, 22)};
    }
    messages = messages.subspan(2 + length);
  }
  return std::nullopt;
}

std::optional<Frame> decode_manufacturer(Bytes b) {
  if (b.size() < 2) return std::nullopt;
  const std::uint16_t company = le16(b, 0);
  // AltBeacon belongs to every manufacturer; its code tells it. 25 bytes: some leave the last one.
  if ((b.size() == 26 || b.size() == 25) && b[2] == 0xBE && b[3] == 0xAC) {
    AltBeacon frame{company, take<20>(b, 4), s8(b, 24), std::nullopt};
    if (b.size() == 26) frame.reserved = b[25];
    return frame;
  }
  if (company == kApple) return decode_apple(b.subspan(2));
  return std::nullopt;
}

}  // namespace

std::size_t whole_structures(Bytes payload) {
  AdWalker walker(payload);
  AdStructure structure;
  std::size_t bytes = 0;
  while (walker.next(structure) == AdEnd::more) bytes += structure.data.size() + 2;
  return bytes;
}

std::string_view kind_name(const Frame& frame) {
  static constexpr std::array<std::string_view, std::variant_size_v<Frame>> kNames{
      "ibeacon",        "altbeacon",     "eddystone_uid",         "eddystone_url", "eddystone_tlm",
      "eddystone_etlm", "eddystone_eid", "exposure_notification", "uribeacon",     "find_hub_fmdn"};
  return kNames[frame.index()];
}

std::optional<Frame> decode_frame(const AdStructure& structure) {
  switch (structure.type) {
    case kAdServiceData16:
      return decode_service_data(structure.data);
    case kAdManufacturer:
      return decode_manufacturer(structure.data);
    default:
      return std::nullopt;
  }
}

AdContent decode_ad(Bytes payload) {
  AdContent out;
  AdWalker walker(payload);
  AdStructure structure;
  AdEnd end = AdEnd::more;
  while ((end = walker.next(structure)) == AdEnd::more) {
    if (auto frame = decode_frame(structure)) {
      out.frames.push_back(std::move(*frame));
    } else if (structure.type == kAdName || structure.type == kAdShortName) {
      out.local_name.assign(structure.data.begin(), structure.data.end());
    } else if (structure.type == kAdTxPower && structure.data.size() == 1) {
      out.tx_power = s8(structure.data, 0);
    }
  }
  out.malformed = end == AdEnd::overrun;
  return out;
}

}  // namespace welcome::beacon
