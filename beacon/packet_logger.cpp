// SPDX-License-Identifier: Apache-2.0
#include "beacon/packet_logger.h"

#include <array>

namespace welcome::beacon {
namespace {

constexpr std::size_t kLogHeader = 13;  // length, seconds, microseconds, kind
constexpr std::uint32_t kInLength = 9;  // of it, what the length counts
constexpr std::uint32_t kMicroseconds = 1'000'000;

struct Kind {
  HciPacketType type;
  bool from_controller;
};

// Notes, names of devices and the like are none.
std::optional<Kind> kind_of(std::uint8_t kind) {
  switch (kind) {
    case 0x00:
      return Kind{HciPacketType::command, false};
    case 0x01:
      return Kind{HciPacketType::event, true};
    case 0x02:
      return Kind{HciPacketType::acl, false};
    case 0x03:
      return Kind{HciPacketType::acl, true};
    case 0x08:
      return Kind{HciPacketType::sco, false};
    case 0x09:
      return Kind{HciPacketType::sco, true};
    default:
      return std::nullopt;
  }
}

// A file has no mark. Its first record must have a length and a time that can be.
std::optional<ByteOrder> order_of(std::span<const std::uint8_t> front) {
  if (front.size() < kLogHeader) return std::nullopt;
  for (const ByteOrder order : {ByteOrder::big, ByteOrder::little}) {
    const std::uint32_t length = read_u32(front.data(), order);
    if (length < kInLength || length > 0xFFFF) continue;
    if (read_u32(&front[8], order) >= kMicroseconds) continue;
    const std::uint8_t kind = front[kLogHeader - 1];
    if (kind_of(kind) || kind >= 0xF0 || (kind >= 0x0A && kind <= 0x13)) return order;
  }
  return std::nullopt;
}

}  // namespace

bool is_packet_logger(std::span<const std::uint8_t> front) { return order_of(front).has_value(); }

Result<PacketLoggerReader> PacketLoggerReader::from(CaptureBytes bytes) {
  const auto order = order_of(bytes.look(kLogHeader));
  if (!order) return fail(ErrorCode::malformed, "not a PacketLogger file");
  return PacketLoggerReader(std::move(bytes), *order);
}

bool PacketLoggerReader::next(CaptureRecord& record) {
  while (!damage()) {
    std::array<std::uint8_t, kLogHeader> header{};
    if (!read_header(bytes_, header)) return false;
    const std::uint32_t length = read_u32(header.data(), order_);
    if (length < kInLength || length > kLongestRecord) {
      return damaged("the capture has a record of impossible length");
    }
    if (!read_body(bytes_, length - kInLength, record.packet)) return false;
    const auto kind = kind_of(header[kLogHeader - 1]);
    if (!kind) continue;
    record.type = kind->type;
    record.from_controller = kind->from_controller;
    record.at = CaptureTime{std::chrono::seconds{read_u32(&header[4], order_)} +
                            std::chrono::microseconds{read_u32(&header[8], order_)}};
    return true;
  }
  return false;
}

}  // namespace welcome::beacon
