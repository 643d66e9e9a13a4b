// SPDX-License-Identifier: Apache-2.0
#pragma once
// pcap and pcapng files of HCI: data links 187 (H4), 201 (H4 with direction) and 254 (Linux
// monitor). Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; tcpdump's list of link
// types.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "beacon/capture.h"
#include "beacon/capture_bytes.h"

namespace welcome::beacon {

bool is_pcap(std::span<const std::uint8_t> front);
bool is_pcapng(std::span<const std::uint8_t> front);

class PcapReader final : public CaptureReader {
 public:
  static Result<PcapReader> from(CaptureBytes bytes);

  std::string_view format() const override { return "pcap"; }
  bool next(CaptureRecord& record) override;

 private:
  PcapReader(CaptureBytes bytes, ByteOrder order, std::uint32_t link, std::uint32_t parts)
      : bytes_(std::move(bytes)), order_(order), link_(link), parts_(parts) {}

  CaptureBytes bytes_;
  ByteOrder order_;
  std::uint32_t link_;
  std::uint32_t parts_;  // of a second, in the second half of a time stamp
  std::vector<std::uint8_t> buffer_;
};

class PcapngReader final : public CaptureReader {
 public:
  static Result<PcapngReader> from(CaptureBytes bytes);

  std::string_view format() const override { return "pcapng"; }
  bool next(CaptureRecord& record) override;

 private:
  struct Interface {
    std::uint16_t link = 0;
    std::uint64_t per_second = 1'000'000;
  };

  explicit PcapngReader(CaptureBytes bytes) : bytes_(std::move(bytes)) {}
  // False at the end of the file or of what can be read of it. The body is in block_.
  bool read_block(std::uint32_t& type);
  void read_interface();
  bool read_packet(CaptureRecord& record);

  CaptureBytes bytes_;
  ByteOrder order_ = ByteOrder::little;  // of this section
  std::vector<Interface> interfaces_;    // of this section
  std::vector<std::uint8_t> block_;
};

}  // namespace welcome::beacon
