// SPDX-License-Identifier: Apache-2.0
// Adverts, clock steps and changes of the identities, in any order, against the tracker. The first
// bytes of each step say what it is: nobody but the three known customers may ever be claimed.

#include <algorithm>
#include <string>
#include <vector>

#include "beacon/tracker.h"

namespace {

using namespace welcome;
using namespace welcome::beacon;

constexpr Now kBegin{MonoTime{std::chrono::hours{1}}, WallTime{std::chrono::hours{24}}, true};

const std::vector<IdentityKey>& all_identities() {
  static const std::vector<IdentityKey> all = [] {
    std::vector<IdentityKey> out;
    for (std::uint8_t i = 0; i < 6; ++i) {
      IdentityKey& key = out.emplace_back();
      key.identity = "i" + std::to_string(i);
      key.customer = CustomerId("c" + std::to_string(i / 2));
      key.kind = static_cast<IdentityKind>(i);
      key.key.fill(i);
      key.static_id.fill(i);
      key.rotation_exponent = i;
    }
    return out;
  }();
  return all;
}

std::vector<IdentityKey> identities(std::uint8_t which) {
  std::vector<IdentityKey> out;
  for (std::size_t i = 0; i < all_identities().size(); ++i) {
    if ((which & (1U << i)) != 0) out.push_back(all_identities()[i]);
  }
  return out;
}

// Knows everybody and has its tables: made once, copied for each input.
const Tracker& ready() {
  static const Tracker tracker = [] {
    TrackerConfig config;
    config.resolver.remembered_addresses = 16;  // small, so that it overflows
    config.resolver.clock_drift = std::chrono::seconds{1};
    Tracker made(config);
    made.set_identities(identities(0x3F), kBegin);
    made.tick(kBegin);
    return made;
  }();
  return tracker;
}

void check(const std::vector<IdentityClaim>& claims) {
  for (const IdentityClaim& claim : claims) {
    const std::string& id = claim.customer.str();
    if (id != "c0" && id != "c1" && id != "c2") __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Tracker tracker = ready();
  Now now = kBegin;
  std::span<const std::uint8_t> rest(data, size);
  while (rest.size() >= 2) {
    const std::uint8_t what = rest[0];
    const std::uint8_t value = rest[1];
    rest = rest.subspan(2);
    switch (what % 4) {
      case 0:
        now.mono += std::chrono::milliseconds{value * 100};
        now.wall += std::chrono::milliseconds{value * 100};
        check(tracker.tick(now));
        break;
      case 1:
        now.wall += std::chrono::hours{static_cast<std::int8_t>(value) * 1000};
        break;
      case 2:
        tracker.set_identities(identities(value), now);
        break;
      default: {
        const std::size_t length = std::min<std::size_t>(value, rest.size());
        AdvertReport report;
        report.at = now.mono;
        report.address_type = static_cast<AddressType>((what >> 2U) & 3U);
        for (std::size_t i = 0; i < 6 && i < length; ++i) report.address[i] = rest[i];
        report.rssi_dbm = static_cast<std::int8_t>(what);
        report.ad = AdBytes(rest.first(length));
        rest = rest.subspan(length);
        check(tracker.handle(report, now));
      }
    }
  }
  return 0;
}
