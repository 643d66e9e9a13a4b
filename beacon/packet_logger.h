// SPDX-License-Identifier: Apache-2.0
#pragma once
// Apple's PacketLogger files (.pklg), in either byte order: no header, records of length, time,
// kind and packet.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "beacon/capture.h"
#include "beacon/capture_bytes.h"

namespace welcome::beacon {

// The front of a file that may be one: at least its first 13 bytes.
bool is_packet_logger(std::span<const std::uint8_t> front);

class PacketLoggerReader final : public CaptureReader {
 public:
  static Result<PacketLoggerReader> from(CaptureBytes bytes);

  std::string_view format() const override { return "PacketLogger"; }
  bool next(CaptureRecord& record) override;

 private:
  PacketLoggerReader(CaptureBytes bytes, ByteOrder order)
      : bytes_(std::move(bytes)), order_(order) {}

  CaptureBytes bytes_;
  ByteOrder order_;
};

}  // namespace welcome::beacon
