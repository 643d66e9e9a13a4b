#pragma once
// btsnoop files: the format of Android's and BlueZ's HCI logs, opened by Wireshark, btmon and
// others. Reads HCI H1 (1001), H4 (1002) and Linux monitor (2001) files; writes H4.
// Format: RFC 1761 header with the data links above; BlueZ src/shared/btsnoop.h for 2001.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <istream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace welcome::beacon {

using CaptureTime = std::chrono::sys_time<std::chrono::microseconds>;

enum class HciPacketType : std::uint8_t { command = 1, acl = 2, sco = 3, event = 4, iso = 5 };

struct BtsnoopRecord {
  CaptureTime at;
  HciPacketType type = HciPacketType::event;
  bool from_controller = true;
  std::vector<std::uint8_t> packet;  // without the H4 packet type
};

class BtsnoopReader {
 public:
  // Fails as not_found, or as malformed where it is no btsnoop file of a data link known here.
  static Result<BtsnoopReader> open(const std::filesystem::path& file);
  static Result<BtsnoopReader> from(std::unique_ptr<std::istream> stream);

  // True while there are records (those of other kinds, e.g. monitor messages, are passed over).
  // False at the end; damage() then says whether the file was cut off or broken.
  bool next(BtsnoopRecord& record);
  const std::optional<Error>& damage() const { return damage_; }

 private:
  BtsnoopReader(std::unique_ptr<std::istream> stream, std::uint32_t link);

  std::unique_ptr<std::istream> stream_;
  std::uint32_t link_;
  std::optional<Error> damage_;
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
