// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a device sends when: Eddystone-EID, our rotating service UUID, resolvable addresses.
// Pure functions; all values most significant byte first.

#include <array>
#include <cstdint>

#include "beacon/advert.h"
#include "beacon/aes.h"

namespace welcome::beacon {

inline constexpr unsigned kLongestRotationExponent = 15;

using Eid = std::array<std::uint8_t, 8>;
using Uuid128 = std::array<std::uint8_t, 16>;

// google/eddystone, eddystone-eid/eid-computation.md. `beacon_time` is the device's clock in
// seconds; the EID changes every 2^rotation_exponent of them.
Eid eddystone_eid(const Block& identity_key, unsigned rotation_exponent, std::uint32_t beacon_time);

// docs/ble.md, "Rotating service UUID": the clock and the two steps of Eddystone-EID, with a salt
// of its own in the first step, all 16 bytes of the result, and the UUID version and variant bits
// set.
Uuid128 rotating_uuid(const Block& identity_key, unsigned rotation_exponent,
                      std::uint32_t beacon_time);

// Of the last byte of the UUID: an app flips it while its phone moves.
inline constexpr std::uint8_t kMovingBit = 0x01;

// ah(), Core Specification 5.4, Vol 3, Part H, 2.2.2. `irk` was expanded from the identity
// resolving key; the address must be a resolvable one.
bool resolves(const Aes128& irk, const Address& address);

}  // namespace welcome::beacon
