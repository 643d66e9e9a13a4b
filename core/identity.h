// SPDX-License-Identifier: Apache-2.0
#pragma once
// IdentityItem: what a customer's phone, fob or card can be recognised by, as the CRM sends it.
// Secret: key material is never logged and is kept only for customers who consent.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome {

// Eddystone-EID, and our rotating 128-bit service UUID with the same clock and key schedule.
struct RotatingKey {
  bool service_uuid = false;  // false: Eddystone-EID frame
  std::array<std::uint8_t, 16> key{};
  int rotation_exponent = 0;  // a new identifier every 2^k seconds, 0…15
  WallTime clock_zero;        // when the beacon's clock was 0
};

struct ResolvingKey {  // resolvable private addresses
  std::array<std::uint8_t, 16> irk{};
};

struct IbeaconId {
  std::array<std::uint8_t, 16> uuid{};
  std::uint16_t major = 0;
  std::uint16_t minor = 0;
};

struct AltBeaconId {
  std::array<std::uint8_t, 20> id{};
};

struct EddystoneUid {
  std::array<std::uint8_t, 10> name_space{};
  std::array<std::uint8_t, 6> instance{};
};

struct IdentityItem {
  std::string identity;  // the CRM's id of this key
  CustomerId customer;
  std::variant<RotatingKey, ResolvingKey, IbeaconId, AltBeaconId, EddystoneUid> key;
  std::optional<int> measured_power_1m_dbm;  // calibration of this sender
};

// Refused: what no device has to itself, so that strangers would be taken for the customer or she
// would never be found: a key or id of zeros or ones alone, and keys that are published as
// examples.
Result<void> validate(const IdentityItem& item);

// By what the device is known, whoever it is said to belong to: the same for two items that one and
// the same device would match. As secret as the key itself.
std::string device_of(const IdentityItem& item);

}  // namespace welcome
