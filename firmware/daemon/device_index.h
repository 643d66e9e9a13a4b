// SPDX-License-Identifier: Apache-2.0
#pragma once
// DeviceIndex: whose each device is by the feed, so that one that is given to two customers is
// noticed. Holds hashes alone, 16 bytes for each. One thread.

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_set>

#include "beacon/flat_table.h"
#include "beacon/identity.h"

namespace welcome::daemon {

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

  // A device that somebody was refused is nobody's now: it may come. Said once.
  bool freed() {
    return std::erase_if(twins_, [&](std::uint64_t device) {
             return !devices_.find(device, [](const auto&) { return true; });
           }) > 0;
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
