// SPDX-License-Identifier: Apache-2.0
#pragma once
// CaptureReader: HCI traffic out of a file: btsnoop (Android, btmon), pcap and pcapng (Wireshark,
// tcpdump), PacketLogger (Apple). open_capture() looks at the content, not at the name. Bytes from
// outside: every length is checked, memory is bounded by the longest packet. One thread.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <istream>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace welcome::beacon {

using CaptureTime = std::chrono::sys_time<std::chrono::microseconds>;

enum class HciPacketType : std::uint8_t { command = 1, acl = 2, sco = 3, event = 4, iso = 5 };

struct CaptureRecord {
  CaptureTime at;
  HciPacketType type = HciPacketType::event;
  bool from_controller = true;
  std::vector<std::uint8_t> packet;  // without the H4 packet type
};

class CaptureBytes;

class CaptureReader {
 public:
  CaptureReader() = default;
  CaptureReader(CaptureReader&&) = default;
  CaptureReader& operator=(CaptureReader&&) = default;
  CaptureReader(const CaptureReader&) = delete;
  CaptureReader& operator=(const CaptureReader&) = delete;
  virtual ~CaptureReader() = default;

  virtual std::string_view format() const = 0;  // "btsnoop", …
  // True while there are records; what is no HCI packet is passed over. False at the end; damage()
  // then says whether the file was cut off or broken.
  virtual bool next(CaptureRecord& record) = 0;
  const std::optional<Error>& damage() const { return damage_; }

 protected:
  // False, for next().
  bool damaged(const char* what) {
    damage_ = Error{ErrorCode::malformed, what};
    return false;
  }

  // A record's header, then its body of so many bytes, out of the file: false, for next(), at its
  // end and where it is cut off or broken.
  bool read_header(CaptureBytes& from, std::span<std::uint8_t> header);
  bool read_body(CaptureBytes& from, std::uint32_t length, std::vector<std::uint8_t>& body);
  // When it was, so many microseconds after 1970. False, for next(), of a time that nobody lives
  // in, of which differences would not fit into 64 bits.
  bool stamp(std::int64_t us, CaptureRecord& record);

  static constexpr std::uint32_t kLongestRecord = 1U << 16U;  // an ACL packet and its header

 private:
  std::optional<Error> damage_;
};

// Fails as not_found, or as malformed where it is no capture of HCI that is known here.
Result<std::unique_ptr<CaptureReader>> open_capture(const std::filesystem::path& file);
Result<std::unique_ptr<CaptureReader>> read_capture(std::unique_ptr<std::istream> stream);

}  // namespace welcome::beacon
