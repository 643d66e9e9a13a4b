// SPDX-License-Identifier: Apache-2.0
#pragma once
// Adverts as customers' devices send them, for the tests of this room.

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "beacon/advert.h"
#include "beacon/identity.h"
#include "beacon/key_schedule.h"
#include "tests/unit/beacon/bytes.h"

namespace welcome::beacon::testing {

inline constexpr WallTime kMorning{std::chrono::milliseconds{1'800'000'000'000}};
inline constexpr WallTime kClockZero = kMorning - std::chrono::hours{24 * 30};

// `t` seconds into the test.
inline Now now_at(double t) {
  const auto us = std::chrono::microseconds{static_cast<std::int64_t>(t * 1e6)};
  return {MonoTime{us + std::chrono::hours{1}},
          kMorning + std::chrono::floor<std::chrono::milliseconds>(us), true};
}

inline std::uint32_t beacon_time(const Now& now, WallTime zero = kClockZero) {
  return static_cast<std::uint32_t>(
      std::chrono::floor<std::chrono::seconds>(now.wall - zero).count());
}

inline Block test_key(std::uint32_t n) {
  Block key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    n = n * 1664525U + 1013904223U;
    key[i] = static_cast<std::uint8_t>(n >> 24U);
  }
  return key;
}

inline IdentityKey phone(const std::string& customer, std::uint32_t n, unsigned exponent = 7,
                         IdentityKind kind = IdentityKind::eddystone_eid) {
  IdentityKey key;
  key.identity = "i-" + customer + "-" + std::to_string(n);
  key.customer = CustomerId(customer);
  key.kind = kind;
  key.key = test_key(n);
  key.rotation_exponent = static_cast<std::uint8_t>(exponent);
  key.clock_zero = kClockZero;
  return key;
}

inline AdvertReport report(std::span<const std::uint8_t> ad, int rssi, const Now& now) {
  AdvertReport r;
  r.at = now.mono;
  r.address = {0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC};  // random, not resolvable
  r.address_type = AddressType::random_device;
  r.rssi_dbm = static_cast<std::int8_t>(rssi);
  r.ad = AdBytes(ad);
  return r;
}

// -18 dBm at 0 m are -59 dBm at 1 m.
inline AdvertReport eid_advert(const Eid& eid, int rssi, const Now& now) {
  auto ad = from_hex("0201060303aafe0d16aafe30ee");
  ad.insert(ad.end(), eid.begin(), eid.end());
  return report(ad, rssi, now);
}

inline AdvertReport phone_advert(const IdentityKey& key, int rssi, const Now& now,
                                 double clock_ahead_s = 0) {
  Now theirs = now;
  theirs.wall += std::chrono::milliseconds{static_cast<std::int64_t>(clock_ahead_s * 1000)};
  const std::uint32_t time = beacon_time(theirs, key.clock_zero);
  if (key.kind == IdentityKind::rotating_uuid) {
    const Uuid128 uuid = rotating_uuid(key.key, key.rotation_exponent, time);
    auto ad = from_hex("0201061107");
    ad.insert(ad.end(), uuid.rbegin(), uuid.rend());
    return report(ad, rssi, now);
  }
  return eid_advert(eddystone_eid(key.key, key.rotation_exponent, time), rssi, now);
}

inline IdentityKey fob(const std::string& customer) {
  IdentityKey key;
  key.identity = "i-" + customer + "-fob";
  key.customer = CustomerId(customer);
  key.kind = IdentityKind::ibeacon;
  key.static_id = array_from_hex<20>("000102030405060708090a0b0c0d0e0f00010002");
  return key;
}

inline AdvertReport fob_advert(const IdentityKey& key, int rssi, const Now& now,
                               std::int8_t power = -59) {
  auto ad = from_hex("0201061aff4c000215");
  ad.insert(ad.end(), key.static_id.begin(), key.static_id.end());
  ad.push_back(static_cast<std::uint8_t>(power));
  return report(ad, rssi, now);
}

// A resolvable private address of that key.
inline Address address_of(const IdentityKey& key, std::uint32_t prand) {
  Block in{};
  in[13] = static_cast<std::uint8_t>(((prand >> 16U) & 0x3FU) | 0x40U);
  in[14] = static_cast<std::uint8_t>(prand >> 8U);
  in[15] = static_cast<std::uint8_t>(prand);
  const Block out = Aes128(key.key).encrypt(in);
  return {in[13], in[14], in[15], out[13], out[14], out[15]};
}

}  // namespace welcome::beacon::testing
