// SPDX-License-Identifier: Apache-2.0
#pragma once
// btsnoop files: the format of Android's and BlueZ's HCI logs, opened by Wireshark, btmon and
// others. Reads HCI H1 (1001), H4 (1002) and Linux monitor (2001) files; writes H4.
// Format: RFC 1761 header with the data links above; BlueZ src/shared/btsnoop.h for 2001.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <istream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "beacon/capture.h"
#include "beacon/capture_bytes.h"

namespace welcome::beacon {

bool is_btsnoop(std::span<const std::uint8_t> front);

class BtsnoopReader final : public CaptureReader {
 public:
  // Fails as not_found, or as malformed where it is no btsnoop file of a data link known here.
  static Result<BtsnoopReader> open(const std::filesystem::path& file);
  static Result<BtsnoopReader> from(std::unique_ptr<std::istream> stream);
  static Result<BtsnoopReader> from(CaptureBytes bytes);

  std::string_view format() const override { return "btsnoop"; }
  bool next(CaptureRecord& record) override;

 private:
  BtsnoopReader(CaptureBytes bytes, std::uint32_t link) : bytes_(std::move(bytes)), link_(link) {}

  CaptureBytes bytes_;
  std::uint32_t link_;
  std::vector<std::uint8_t> buffer_;
};

// The bytes of a file, appended to `out`: first the header, then records. `packet` without the H4
// packet type.
void put_btsnoop_header(std::string& out);
void put_btsnoop_record(std::string& out, CaptureTime at, HciPacketType type, bool from_controller,
                        std::span<const std::uint8_t> packet);

class BtsnoopWriter {
 public:
  // Creates or truncates the file, readable by its owner alone.
  static Result<BtsnoopWriter> create(const std::filesystem::path& file);

  // `packet` without the H4 packet type.
  Result<void> write(CaptureTime at, HciPacketType type, bool from_controller,
                     std::span<const std::uint8_t> packet);
  Result<void> close();

 private:
  explicit BtsnoopWriter(std::ofstream stream) : stream_(std::move(stream)) {}
  std::ofstream stream_;
};

}  // namespace welcome::beacon
