// SPDX-License-Identifier: Apache-2.0
#pragma once
// The bytes of a capture, for its readers: a stream whose beginning may have been looked at, and
// numbers in either order.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "beacon/capture.h"

namespace welcome::beacon {

class CaptureBytes {
 public:
  explicit CaptureBytes(std::unique_ptr<std::istream> stream) : stream_(std::move(stream)) {}

  // As many as there are.
  std::size_t read(std::span<std::uint8_t> to) {
    const std::size_t seen = std::min(to.size(), seen_.size());
    std::copy_n(seen_.begin(), seen, to.begin());
    seen_.erase(seen_.begin(), seen_.begin() + static_cast<std::ptrdiff_t>(seen));
    const auto rest = to.subspan(seen);
    if (rest.empty()) return seen;
    stream_->read(reinterpret_cast<char*>(rest.data()), static_cast<std::streamsize>(rest.size()));
    return seen + static_cast<std::size_t>(stream_->gcount());
  }
  // Without taking them; from the beginning alone.
  std::span<const std::uint8_t> look(std::size_t bytes) {
    std::vector<std::uint8_t> front(bytes);
    front.resize(read(front));
    seen_ = std::move(front);
    return seen_;
  }

 private:
  std::unique_ptr<std::istream> stream_;
  std::vector<std::uint8_t> seen_;
};

enum class ByteOrder : std::uint8_t { big, little };

inline std::uint32_t read_u32(const std::uint8_t* p, ByteOrder order) {
  const auto at = [&](unsigned i) { return std::uint32_t{p[order == ByteOrder::big ? i : 3 - i]}; };
  return (at(0) << 24U) | (at(1) << 16U) | (at(2) << 8U) | at(3);
}
inline std::uint16_t read_u16(const std::uint8_t* p, ByteOrder order) {
  return static_cast<std::uint16_t>(order == ByteOrder::big ? (p[0] << 8U) | p[1]
                                                            : (p[1] << 8U) | p[0]);
}

// Opcodes of the Linux monitor that carry HCI packets: the kind, and whether from the controller.
inline std::optional<std::pair<HciPacketType, bool>> monitor_packet(unsigned opcode) {
  switch (opcode) {
    case 2:
      return std::pair{HciPacketType::command, false};
    case 3:
      return std::pair{HciPacketType::event, true};
    case 4:
      return std::pair{HciPacketType::acl, false};
    case 5:
      return std::pair{HciPacketType::acl, true};
    default:
      return std::nullopt;
  }
}

// Of an H4 packet; nothing when its first byte is no packet type.
inline std::optional<HciPacketType> h4_type(std::span<const std::uint8_t> packet) {
  if (packet.empty() || packet[0] < 1 || packet[0] > 5) return std::nullopt;
  return static_cast<HciPacketType>(packet[0]);
}

}  // namespace welcome::beacon
