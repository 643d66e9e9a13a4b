// SPDX-License-Identifier: Apache-2.0
#include "beacon/capture.h"

#include <fstream>
#include <utility>

#include "beacon/btsnoop.h"
#include "beacon/capture_bytes.h"
#include "beacon/packet_logger.h"
#include "beacon/pcap.h"

namespace welcome::beacon {
namespace {

template <class Reader>
Result<std::unique_ptr<CaptureReader>> as_capture(Result<Reader> reader) {
  if (!reader) return tl::unexpected(reader.error());
  return std::make_unique<Reader>(std::move(*reader));
}

}  // namespace

bool CaptureReader::read_header(CaptureBytes& from, std::span<std::uint8_t> header) {
  const std::size_t got = from.read(header);
  if (got == 0) return false;
  return got == header.size() || damaged("the capture is cut off in a record header");
}

bool CaptureReader::read_body(CaptureBytes& from, std::uint32_t length,
                              std::vector<std::uint8_t>& body) {
  if (length > kLongestRecord) return damaged("the capture has a record of impossible length");
  body.resize(length);
  return from.read(body) == length || damaged("the capture is cut off in a record");
}

bool CaptureReader::stamp(std::int64_t us, CaptureRecord& record) {
  constexpr std::int64_t kYear10000 = 253'402'300'800'000'000;
  if (us <= -kYear10000 || us >= kYear10000) {
    return damaged("the capture has a record of an impossible time");
  }
  record.at = CaptureTime{std::chrono::microseconds{us}};
  return true;
}

Result<std::unique_ptr<CaptureReader>> open_capture(const std::filesystem::path& file) {
  auto stream = std::make_unique<std::ifstream>(file, std::ios::binary);
  if (!*stream) return fail(ErrorCode::not_found, "cannot open the capture " + file.string());
  return read_capture(std::move(stream));
}

Result<std::unique_ptr<CaptureReader>> read_capture(std::unique_ptr<std::istream> stream) {
  CaptureBytes bytes(std::move(stream));
  constexpr std::size_t kEnough = 13;  // PacketLogger has no mark: its first record's header
  const auto front = bytes.look(kEnough);
  if (is_btsnoop(front)) return as_capture(BtsnoopReader::from(std::move(bytes)));
  if (is_pcapng(front)) return as_capture(PcapngReader::from(std::move(bytes)));
  if (is_pcap(front)) return as_capture(PcapReader::from(std::move(bytes)));
  if (is_packet_logger(front)) return as_capture(PacketLoggerReader::from(std::move(bytes)));
  return fail(ErrorCode::malformed,
              "not a capture that is known here (btsnoop, pcap, pcapng, PacketLogger)");
}

}  // namespace welcome::beacon
