// SPDX-License-Identifier: Apache-2.0
#include "beacon/btsnoop.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <utility>

namespace welcome::beacon {
namespace {

constexpr std::string_view kMagic{"btsnoop\0", 8};
constexpr std::uint32_t kLinkH1 = 1001;
constexpr std::uint32_t kLinkH4 = 1002;
constexpr std::uint32_t kLinkMonitor = 2001;
constexpr std::size_t kFileHeader = 16;
constexpr std::size_t kRecordHeader = 24;
constexpr std::int64_t kEpoch = 0x00DCDDB30F2F8000;  // 1970 in µs since the year 0

std::uint32_t be32(const std::uint8_t* p) { return read_u32(p, ByteOrder::big); }

void put_be32(std::uint8_t* p, std::uint32_t v) {
  for (unsigned i = 0; i < 4; ++i) p[i] = static_cast<std::uint8_t>(v >> (24U - 8U * i));
}

}  // namespace

bool is_btsnoop(std::span<const std::uint8_t> front) {
  return front.size() >= kMagic.size() &&
         std::equal(kMagic.begin(), kMagic.end(), front.begin(),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

Result<BtsnoopReader> BtsnoopReader::open(const std::filesystem::path& file) {
  auto stream = std::make_unique<std::ifstream>(file, std::ios::binary);
  if (!*stream) return fail(ErrorCode::not_found, "cannot open the capture " + file.string());
  return from(std::move(stream));
}

Result<BtsnoopReader> BtsnoopReader::from(std::unique_ptr<std::istream> stream) {
  return from(CaptureBytes(std::move(stream)));
}

Result<BtsnoopReader> BtsnoopReader::from(CaptureBytes bytes) {
  std::array<std::uint8_t, kFileHeader> header{};
  if (bytes.read(header) != header.size() || !is_btsnoop(header)) {
    return fail(ErrorCode::malformed, "not a btsnoop file");
  }
  const std::uint32_t version = be32(&header[8]);
  const std::uint32_t link = be32(&header[12]);
  if (version != 1) {
    return fail(ErrorCode::malformed, "btsnoop version " + std::to_string(version) + ", not 1");
  }
  if (link != kLinkH1 && link != kLinkH4 && link != kLinkMonitor) {
    return fail(ErrorCode::malformed,
                "btsnoop data link " + std::to_string(link) + " is none of 1001, 1002, 2001");
  }
  return BtsnoopReader(std::move(bytes), link);
}

bool BtsnoopReader::next(CaptureRecord& record) {
  while (!damage()) {
    std::array<std::uint8_t, kRecordHeader> header{};
    if (!read_header(bytes_, header)) return false;
    const std::uint32_t flags = be32(&header[8]);
    if (!read_body(bytes_, be32(&header[4]), buffer_)) return false;
    // Unsigned, because a broken stamp must not overflow.
    const auto since_year_0 = (std::uint64_t{be32(&header[16])} << 32U) | be32(&header[20]);
    const auto us = static_cast<std::int64_t>(since_year_0 - static_cast<std::uint64_t>(kEpoch));
    if (!stamp(us, record)) return false;
    record.from_controller = (flags & 1U) != 0;

    std::size_t skip = 0;
    if (link_ == kLinkMonitor) {
      const auto kind = monitor_packet(flags & 0xFFFFU);
      if (!kind) continue;
      std::tie(record.type, record.from_controller) = *kind;
    } else if (link_ == kLinkH4) {
      const auto type = h4_type(buffer_);
      if (!type) continue;
      record.type = *type;
      skip = 1;
    } else {
      const bool command_or_event = (flags & 2U) != 0;
      record.type = !command_or_event        ? HciPacketType::acl
                    : record.from_controller ? HciPacketType::event
                                             : HciPacketType::command;
    }
    record.packet.assign(buffer_.begin() + static_cast<std::ptrdiff_t>(skip), buffer_.end());
    return true;
  }
  return false;
}

void put_btsnoop_header(std::string& out) {
  std::array<std::uint8_t, kFileHeader> header{};
  std::copy(kMagic.begin(), kMagic.end(), header.begin());
  put_be32(&header[8], 1);
  put_be32(&header[12], kLinkH4);
  out.append(header.begin(), header.end());
}

void put_btsnoop_record(std::string& out, CaptureTime at, HciPacketType type, bool from_controller,
                        std::span<const std::uint8_t> packet) {
  std::array<std::uint8_t, kRecordHeader + 1> header{};
  const auto length = static_cast<std::uint32_t>(packet.size() + 1);
  const bool command_or_event = type == HciPacketType::command || type == HciPacketType::event;
  const auto stamp = static_cast<std::uint64_t>(at.time_since_epoch().count() + kEpoch);
  put_be32(&header[0], length);
  put_be32(&header[4], length);
  put_be32(&header[8], (from_controller ? 1U : 0U) | (command_or_event ? 2U : 0U));
  put_be32(&header[16], static_cast<std::uint32_t>(stamp >> 32U));
  put_be32(&header[20], static_cast<std::uint32_t>(stamp));
  header[kRecordHeader] = static_cast<std::uint8_t>(type);
  out.append(header.begin(), header.end());
  out.append(packet.begin(), packet.end());
}

Result<BtsnoopWriter> BtsnoopWriter::create(const std::filesystem::path& file) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  std::error_code ignored;
  std::filesystem::permissions(
      file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
  std::string header;
  put_btsnoop_header(header);
  stream.write(header.data(), static_cast<std::streamsize>(header.size()));
  if (!stream) return fail(ErrorCode::unavailable, "cannot write the capture " + file.string());
  return BtsnoopWriter(std::move(stream));
}

Result<void> BtsnoopWriter::write(CaptureTime at, HciPacketType type, bool from_controller,
                                  std::span<const std::uint8_t> packet) {
  std::string record;
  put_btsnoop_record(record, at, type, from_controller, packet);
  stream_.write(record.data(), static_cast<std::streamsize>(record.size()));
  if (!stream_) return fail(ErrorCode::full, "cannot write to the capture");
  return {};
}

Result<void> BtsnoopWriter::close() {
  stream_.close();
  if (!stream_) return fail(ErrorCode::full, "cannot write to the capture");
  return {};
}

}  // namespace welcome::beacon
