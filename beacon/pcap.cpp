// SPDX-License-Identifier: Apache-2.0
#include "beacon/pcap.h"

#include <array>
#include <string>

namespace welcome::beacon {
namespace {

constexpr std::uint32_t kMicroMagic = 0xA1B2C3D4;
constexpr std::uint32_t kNanoMagic = 0xA1B23C4D;
constexpr std::uint32_t kSection = 0x0A0D0D0A;
constexpr std::uint32_t kOrderMagic = 0x1A2B3C4D;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kEnhancedPacket = 6;

constexpr std::uint32_t kDltH4 = 187;
constexpr std::uint32_t kDltH4Direction = 201;
constexpr std::uint32_t kDltMonitor = 254;

bool known_link(std::uint32_t link) {
  return link == kDltH4 || link == kDltH4Direction || link == kDltMonitor;
}

tl::unexpected<Error> unknown_link(std::uint32_t link) {
  return fail(ErrorCode::malformed,
              "data link " + std::to_string(link) +
                  " is none of 187, 201, 254: this is no capture of HCI traffic");
}

// What a packet of that link holds; false: no HCI packet.
bool unwrap(std::uint32_t link, std::span<const std::uint8_t> data, CaptureRecord& record) {
  constexpr std::size_t kBefore = 4;  // direction, or adapter and opcode
  if (link == kDltMonitor) {
    if (data.size() < kBefore) return false;
    const auto kind = monitor_packet(read_u16(&data[2], ByteOrder::big));
    if (!kind) return false;
    std::tie(record.type, record.from_controller) = *kind;
    data = data.subspan(kBefore);
  } else {
    std::optional<bool> from_controller;
    if (link == kDltH4Direction) {
      if (data.size() < kBefore) return false;
      from_controller = (data[3] & 1U) != 0;
      data = data.subspan(kBefore);
    }
    const auto type = h4_type(data);
    if (!type) return false;
    record.type = *type;
    record.from_controller = from_controller.value_or(*type == HciPacketType::event);
    data = data.subspan(1);
  }
  record.packet.assign(data.begin(), data.end());
  return true;
}

std::optional<ByteOrder> pcap_order(std::span<const std::uint8_t> front, std::uint32_t& magic) {
  if (front.size() < 4) return std::nullopt;
  for (const ByteOrder order : {ByteOrder::big, ByteOrder::little}) {
    magic = read_u32(front.data(), order);
    if (magic == kMicroMagic || magic == kNanoMagic) return order;
  }
  return std::nullopt;
}

// In microseconds.
std::int64_t time_of(std::uint64_t units, std::uint64_t per_second) {
  const std::uint64_t seconds = units / per_second;
  const std::uint64_t rest = units % per_second;
  // In floating point, because units of a second may be as small as 2^-63.
  const auto us =
      static_cast<std::uint64_t>(static_cast<double>(rest) * 1e6 / static_cast<double>(per_second));
  // Unsigned, because a broken stamp must not overflow.
  return static_cast<std::int64_t>(seconds * 1'000'000U + us);
}

}  // namespace

bool is_pcap(std::span<const std::uint8_t> front) {
  std::uint32_t magic = 0;
  return pcap_order(front, magic).has_value();
}

bool is_pcapng(std::span<const std::uint8_t> front) {
  return front.size() >= 4 && read_u32(front.data(), ByteOrder::big) == kSection;
}

Result<PcapReader> PcapReader::from(CaptureBytes bytes) {
  std::array<std::uint8_t, 24> header{};
  if (bytes.read(header) != header.size()) return fail(ErrorCode::malformed, "not a pcap file");
  std::uint32_t magic = 0;
  const auto order = pcap_order(header, magic);
  if (!order) return fail(ErrorCode::malformed, "not a pcap file");
  constexpr std::uint32_t kLinkBits = 0x0FFFFFFF;  // above: about frame check sequences
  const std::uint32_t link = read_u32(&header[20], *order) & kLinkBits;
  if (!known_link(link)) return unknown_link(link);
  return PcapReader(std::move(bytes), *order, link,
                    magic == kNanoMagic ? 1'000'000'000U : 1'000'000U);
}

bool PcapReader::next(CaptureRecord& record) {
  while (!damage()) {
    std::array<std::uint8_t, 16> header{};
    if (!read_header(bytes_, header)) return false;
    if (!read_body(bytes_, read_u32(&header[8], order_), buffer_)) return false;
    record.at = CaptureTime{
        std::chrono::seconds{read_u32(header.data(), order_)} +
        std::chrono::microseconds{read_u32(&header[4], order_) / (parts_ / 1'000'000U)}};
    if (unwrap(link_, buffer_, record)) return true;
  }
  return false;
}

Result<PcapngReader> PcapngReader::from(CaptureBytes bytes) {
  PcapngReader reader(std::move(bytes));
  std::uint32_t type = 0;
  if (!reader.read_block(type) || type != kSection) {
    return fail(ErrorCode::malformed, "not a pcapng file");
  }
  return reader;
}

bool PcapngReader::read_block(std::uint32_t& type) {
  constexpr std::size_t kHead = 8;  // type, length of it all
  constexpr std::size_t kTail = 4;  // the length again
  constexpr std::size_t kOptions = 1U << 16U;
  std::array<std::uint8_t, kHead> head{};
  const std::size_t got = bytes_.read(head);
  if (got == 0) return false;
  if (got != head.size()) return damaged("the capture is cut off in a block header");
  std::size_t read = 0;
  if (read_u32(head.data(), ByteOrder::big) == kSection) {
    // Its first word tells the byte order of all that follows.
    block_.resize(4);
    if (bytes_.read(block_) != 4) return damaged("the capture is cut off in a section header");
    read = 4;
    if (read_u32(block_.data(), ByteOrder::big) == kOrderMagic) {
      order_ = ByteOrder::big;
    } else if (read_u32(block_.data(), ByteOrder::little) == kOrderMagic) {
      order_ = ByteOrder::little;
    } else {
      return damaged("the capture has a section without byte order");
    }
    interfaces_.clear();
  }
  type = read_u32(head.data(), order_);
  const std::uint32_t length = read_u32(&head[4], order_);
  if (length % 4 != 0 || length < kHead + kTail + read || length > kLongestRecord + kOptions) {
    return damaged("the capture has a block of impossible length");
  }
  block_.resize(length - kHead - kTail);
  std::array<std::uint8_t, kTail> tail{};
  if (bytes_.read(std::span(block_).subspan(read)) != block_.size() - read ||
      bytes_.read(tail) != tail.size()) {
    return damaged("the capture is cut off in a block");
  }
  return true;
}

void PcapngReader::read_interface() {
  constexpr std::size_t kBefore = 8;  // link, reserved, longest packet
  constexpr std::uint16_t kResolution = 9;
  Interface& interface = interfaces_.emplace_back();
  if (block_.size() < kBefore) return;
  interface.link = read_u16(block_.data(), order_);
  for (std::size_t at = kBefore; at + 4 <= block_.size();) {
    const std::uint16_t option = read_u16(&block_[at], order_);
    const std::size_t length = read_u16(&block_[at + 2], order_);
    at += 4;
    if (option == 0 || at + length > block_.size()) return;
    if (option == kResolution && length == 1) {
      const std::uint8_t exponent = block_[at] & 0x7FU;
      const bool of_two = (block_[at] & 0x80U) != 0;
      // What does not fit into 64 bits is nonsense, and stays at microseconds.
      if (exponent <= (of_two ? 63 : 19)) {
        interface.per_second = 1;
        for (unsigned i = 0; i < exponent; ++i) interface.per_second *= of_two ? 2 : 10;
      }
    }
    at += (length + 3) / 4 * 4;
  }
}

bool PcapngReader::read_packet(CaptureRecord& record) {
  constexpr std::size_t kBefore = 20;  // interface, time stamp in two halves, two lengths
  if (block_.size() < kBefore) return false;
  const std::uint32_t from = read_u32(block_.data(), order_);
  if (from >= interfaces_.size()) return false;
  const Interface& interface = interfaces_[from];
  const std::uint64_t units =
      (std::uint64_t{read_u32(&block_[4], order_)} << 32U) | read_u32(&block_[8], order_);
  const std::size_t length = read_u32(&block_[12], order_);
  if (length > block_.size() - kBefore) return false;
  return known_link(interface.link) && stamp(time_of(units, interface.per_second), record) &&
         unwrap(interface.link, std::span(block_).subspan(kBefore, length), record);
}

bool PcapngReader::next(CaptureRecord& record) {
  std::uint32_t type = 0;
  while (!damage() && read_block(type)) {
    if (type == kInterface) read_interface();
    if (type == kEnhancedPacket && read_packet(record)) return true;
  }
  return false;
}

}  // namespace welcome::beacon
