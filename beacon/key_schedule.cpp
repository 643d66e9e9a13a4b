// SPDX-License-Identifier: Apache-2.0
#include "beacon/key_schedule.h"

#include <algorithm>

namespace welcome::beacon {
namespace {

constexpr std::uint8_t kEidSalt = 0xFF;
constexpr std::uint8_t kUuidSalt = 0xFE;

Block rotate(const Block& identity_key, unsigned rotation_exponent, std::uint32_t beacon_time,
             std::uint8_t salt) {
  // Temporary key: changes every 2^16 s.
  Block first{};
  first[11] = salt;
  first[14] = static_cast<std::uint8_t>(beacon_time >> 24U);
  first[15] = static_cast<std::uint8_t>(beacon_time >> 16U);
  const Aes128 temporary(Aes128(identity_key).encrypt(first));

  const std::uint32_t window = beacon_time & ~((std::uint32_t{1} << rotation_exponent) - 1U);
  Block second{};
  second[11] = static_cast<std::uint8_t>(rotation_exponent);
  for (unsigned i = 0; i < 4; ++i) {
    second[12 + i] = static_cast<std::uint8_t>(window >> (24U - 8U * i));
  }
  return temporary.encrypt(second);
}

}  // namespace

Eid eddystone_eid(const Block& identity_key, unsigned rotation_exponent,
                  std::uint32_t beacon_time) {
  const Block full = rotate(identity_key, rotation_exponent, beacon_time, kEidSalt);
  Eid eid;
  std::copy_n(full.begin(), eid.size(), eid.begin());
  return eid;
}

Uuid128 rotating_uuid(const Block& identity_key, unsigned rotation_exponent,
                      std::uint32_t beacon_time) {
  Uuid128 uuid = rotate(identity_key, rotation_exponent, beacon_time, kUuidSalt);
  // RFC 9562: version 8 (custom), variant 10, so that it never is anybody's registered UUID.
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0FU) | 0x80U);
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3FU) | 0x80U);
  return uuid;
}

bool resolves(const Aes128& irk, const Address& address) {
  Block in{};
  std::copy_n(address.begin(), 3, in.begin() + 13);  // prand
  const Block out = irk.encrypt(in);
  return std::equal(out.begin() + 13, out.end(), address.begin() + 3);
}

}  // namespace welcome::beacon
