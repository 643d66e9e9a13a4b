// SPDX-License-Identifier: Apache-2.0
#pragma once
// DeviceIndex: whose each device is by the feed, so that one that is given to two customers is
// noticed. Holds hashes alone, 16 bytes for each. One thread.

#include <charconv>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "beacon/flat_table.h"
#include "beacon/identity.h"
#include "core/pipeline.h"

namespace welcome::daemon {

// The row, of the kind "device", that keeps over a start that this customer was refused a device
// which is another's; without a customer: the row goes.
inline constexpr std::string_view kRefusedRow = "refused ";
inline StateRow row_of_refused(std::uint64_t device, const CustomerId& customer = {}) {
  StateRow row{
      StateRow::Kind::device, std::string(kRefusedRow) + std::to_string(device), customer, {}};
  if (!customer.empty()) row.value = "";
  return row;
}
// The device of such a row.
inline std::optional<std::uint64_t> refused_device(const StateRow& row) {
  if (!row.key.starts_with(kRefusedRow)) return std::nullopt;
  std::uint64_t device = 0;
  const char* end = row.key.data() + row.key.size();
  const bool whole = std::from_chars(row.key.data() + kRefusedRow.size(), end, device).ptr == end;
  return whole ? std::optional(device) : std::nullopt;
}

class DeviceIndex {
 public:
  // False, and nothing is kept: it is another customer's already.
  bool put(const beacon::IdentityKey& key) {
    const std::uint64_t device = beacon::same_device_hash(key);
    const std::uint32_t identity = short_hash(key.identity);
    const std::uint32_t customer = short_hash(key.customer.str());
    bool same = false;
    const bool others = devices_.find(device, [&](const beacon::FlatTable::Slot& slot) {
      same = same || (slot.value == identity && slot.extra == customer);
      return slot.extra != customer;
    });
    if (others) {
      twins_.insert(device);
    } else if (!same) {
      devices_.insert(device, identity, customer);
    }
    return !others;
  }

  void remove(const beacon::IdentityKey& key) {
    devices_.erase(beacon::same_device_hash(key), short_hash(key.identity),
                   short_hash(key.customer.str()));
  }

  // Somebody was refused it before the last start.
  void refused(std::uint64_t device) { twins_.insert(device); }

  // Devices that somebody was refused and that are nobody's now: they may come. Said once.
  std::vector<std::uint64_t> freed() {
    std::vector<std::uint64_t> free;
    for (const std::uint64_t device : twins_) {
      if (!devices_.find(device, [](const auto&) { return true; })) free.push_back(device);
    }
    for (const std::uint64_t device : free) twins_.erase(device);
    return free;
  }

 private:
  static std::uint32_t short_hash(std::string_view text) {
    // Not all ones, which is a free slot.
    return static_cast<std::uint32_t>(std::hash<std::string_view>{}(text)) & 0x7FFFFFFFU;
  }

  beacon::FlatTable devices_;
  std::unordered_set<std::uint64_t> twins_;  // devices that somebody else was refused
};

}  // namespace welcome::daemon
