// SPDX-License-Identifier: Apache-2.0
#pragma once
// AdvertReport: one Bluetooth LE advert as a radio heard it. A value; any thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/time.h"

namespace welcome::beacon {

// Core Specification 5.4, Vol 4, Part E, 7.7.65.2 and 7.7.65.13.
enum class AddressType : std::uint8_t {
  public_device = 0,
  random_device = 1,
  public_identity = 2,  // resolved by the controller
  random_identity = 3,  // resolved by the controller
  anonymous = 0xFF,
};

using Address = std::array<std::uint8_t, 6>;  // most significant byte first, as people write it

// 00:1A:7D:DA:71:13; read in either case.
std::string to_text(const Address& address);
std::optional<Address> parse_address(std::string_view text);

// The two top bits of a random address tell its kind (Vol 6, Part B, 1.3.2).
constexpr bool is_resolvable(const Address& address, AddressType type) {
  return type == AddressType::random_device && (address[0] & 0xC0U) == 0x40U;
}

// AD payload. Legacy adverts (≤ 31 bytes) and advert + scan response live inline; the long ones
// of extended advertising go to the heap.
class AdBytes {
 public:
  static constexpr std::size_t kInline = 62;

  AdBytes() = default;
  explicit AdBytes(std::span<const std::uint8_t> bytes) { append(bytes); }
  AdBytes(const AdBytes& other) { append(other.view()); }
  AdBytes(AdBytes&& other) noexcept { *this = std::move(other); }
  AdBytes& operator=(const AdBytes& other) {
    if (this != &other) *this = AdBytes(other);
    return *this;
  }
  AdBytes& operator=(AdBytes&& other) noexcept {
    heap_ = std::move(other.heap_);
    inline_ = other.inline_;
    size_ = std::exchange(other.size_, std::uint16_t{0});
    return *this;
  }
  ~AdBytes() = default;

  std::span<const std::uint8_t> view() const {
    return {heap_ ? heap_.get() : inline_.data(), size_};
  }
  std::size_t size() const { return size_; }

  void append(std::span<const std::uint8_t> bytes) {
    const std::size_t total = size_ + bytes.size();
    if (total > kInline) {
      auto grown = std::make_unique<std::uint8_t[]>(total);
      std::memcpy(grown.get(), view().data(), size_);
      heap_ = std::move(grown);
    }
    std::uint8_t* to = heap_ ? heap_.get() : inline_.data();
    if (!bytes.empty()) std::memcpy(to + size_, bytes.data(), bytes.size());
    size_ = static_cast<std::uint16_t>(total);
  }

 private:
  std::uint16_t size_ = 0;
  std::array<std::uint8_t, kInline> inline_{};
  std::unique_ptr<std::uint8_t[]> heap_;
};

inline constexpr std::int8_t kNoRssi = 127;     // not measured
inline constexpr std::int8_t kNoTxPower = 127;  // not in the report

inline constexpr unsigned kDataComplete = 0;
inline constexpr unsigned kDataMoreToCome = 1;
inline constexpr unsigned kDataTruncated = 2;

struct AdvertReport {
  MonoTime at;  // when it was heard
  Address address{};
  AddressType address_type = AddressType::public_device;
  bool extended = false;           // from an extended report (0x0D): event_type is its bit field
  std::uint16_t event_type = 0;    // as in the HCI event
  std::int8_t rssi_dbm = kNoRssi;  // as said; beacon/plausible.h says whether it can be
  std::int8_t tx_power_dbm = kNoTxPower;
  std::uint8_t set_id = 0xFF;  // advertising SID, 0xFF = none
  AdBytes ad;

  bool scan_response() const { return extended ? (event_type & 0x08U) != 0 : event_type == 4; }
  // Of extended data; legacy reports are complete.
  unsigned data_status() const { return extended ? (event_type >> 5U) & 3U : kDataComplete; }
};

}  // namespace welcome::beacon
