// SPDX-License-Identifier: Apache-2.0
#pragma once
// AD structures and the beacon frames in them. Pure functions on bytes from outside: every length
// is checked, nothing is asserted, nothing is allocated except for a URL's text.
//
// Sources: Core Specification Supplement 11, Part A (AD types); Apple Proximity Beacon
// specification; AltBeacon 1.0; google/eddystone protocol-specification.md; Exposure Notification
// Bluetooth Specification 1.2.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace welcome::beacon {

using Bytes = std::span<const std::uint8_t>;

struct AdStructure {
  std::uint8_t type = 0;
  Bytes data;
};

enum class AdEnd : std::uint8_t {
  more,      // a structure was read
  complete,  // the payload ended where it should, or by a zero length
  overrun,   // a length runs past the payload
};

// Walks a payload: `while (walker.next(structure) == AdEnd::more)`.
class AdWalker {
 public:
  explicit AdWalker(Bytes payload) : rest_(payload) {}

  AdEnd next(AdStructure& out) {
    if (rest_.empty() || rest_[0] == 0) return AdEnd::complete;  // zero: early end (CSS Part A, 1)
    const std::size_t length = rest_[0];
    if (length >= rest_.size()) return AdEnd::overrun;
    out.type = rest_[1];
    out.data = rest_.subspan(2, length - 1);
    rest_ = rest_.subspan(length + 1);
    return AdEnd::more;
  }

 private:
  Bytes rest_;
};

// How many bytes of it are whole AD structures: all but a cut-off end.
std::size_t whole_structures(Bytes payload);

inline constexpr std::uint8_t kAdUuids128Some = 0x06;
inline constexpr std::uint8_t kAdUuids128 = 0x07;
inline constexpr std::uint8_t kAdShortName = 0x08;
inline constexpr std::uint8_t kAdName = 0x09;
inline constexpr std::uint8_t kAdTxPower = 0x0A;
inline constexpr std::uint8_t kAdServiceData16 = 0x16;
inline constexpr std::uint8_t kAdManufacturer = 0xFF;

struct IBeacon {
  std::array<std::uint8_t, 20> id{};  // UUID, major, minor as on air
  std::int8_t measured_power = 0;     // dBm at 1 m; 0 = distance unknown
};

struct AltBeacon {
  std::uint16_t manufacturer = 0;
  std::array<std::uint8_t, 20> id{};
  std::int8_t reference_rssi = 0;        // dBm at 1 m
  std::optional<std::uint8_t> reserved;  // missing in frames that are one byte short
};

struct EddystoneUid {
  std::array<std::uint8_t, 16> id{};  // namespace (10), instance (6)
  std::int8_t tx_power_0m = 0;        // dBm at 0 m; at 1 m it is 41 dB less
};

struct EddystoneUrl {
  std::string url;
  std::int8_t tx_power_0m = 0;
};

struct EddystoneTlm {
  std::uint16_t battery_mv = 0;
  std::int16_t temperature_256 = 0;  // °C in 1/256; 0x8000 = not supported
  std::uint32_t adv_count = 0;
  std::uint32_t uptime_ds = 0;  // 0.1 s
};

struct EddystoneEtlm {
  std::array<std::uint8_t, 12> encrypted{};
  std::uint16_t salt = 0;  // big-endian on air, like everything in Eddystone
  std::uint16_t mic = 0;
};

struct EddystoneEid {
  std::array<std::uint8_t, 8> eid{};
  std::int8_t tx_power_0m = 0;
};

struct ExposureNotification {
  std::array<std::uint8_t, 16> rpi{};
  std::array<std::uint8_t, 4> aem{};
};

struct UriBeacon {
  std::string url;
};

// Google Find Hub lives under Eddystone's UUID with frame types of its own.
struct FindHub {
  std::uint8_t frame_type = 0;
};

using Frame = std::variant<IBeacon, AltBeacon, EddystoneUid, EddystoneUrl, EddystoneTlm,
                           EddystoneEtlm, EddystoneEid, ExposureNotification, UriBeacon, FindHub>;

// The name used in tools and counters: "ibeacon", "eddystone_uid", …
std::string_view kind_name(const Frame& frame);

// One AD structure; nullopt where it is no frame that is known here.
std::optional<Frame> decode_frame(const AdStructure& structure);

// A whole payload, for tools. Frames before a malformed structure are kept.
struct AdContent {
  std::vector<Frame> frames;
  std::string local_name;
  std::optional<std::int8_t> tx_power;
  bool malformed = false;
};
AdContent decode_ad(Bytes payload);

}  // namespace welcome::beacon
