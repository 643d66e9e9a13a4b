// SPDX-License-Identifier: Apache-2.0
#pragma once
// IdentityKey: how one device of one consenting customer is recognised. Made from the CRM feed
// `identities`; holds key material, so it is wiped when it goes. Never logged.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/time.h"

namespace welcome::beacon {

enum class IdentityKind : std::uint8_t {
  eddystone_eid,
  rotating_uuid,
  irk,
  ibeacon,
  altbeacon,
  eddystone_uid,
};

// As the feed calls it.
std::string_view to_string(IdentityKind kind);

struct IdentityKey {
  std::string identity;  // the CRM's id of this identity
  CustomerId customer;
  IdentityKind kind = IdentityKind::eddystone_eid;

  std::array<std::uint8_t, 16> key{};  // eddystone_eid, rotating_uuid, irk (most significant first)
  std::uint8_t rotation_exponent = 0;  // eddystone_eid, rotating_uuid: 0…15
  WallTime clock_zero;                 // eddystone_eid, rotating_uuid: when its clock said 0

  // As on air: iBeacon UUID, major, minor (20); AltBeacon id (20); Eddystone-UID namespace,
  // instance (16).
  std::array<std::uint8_t, 20> static_id{};

  std::optional<std::int8_t> measured_power_1m_dbm;  // calibrated; wins over what the frame says

  IdentityKey() = default;
  IdentityKey(const IdentityKey&) = default;
  IdentityKey(IdentityKey&&) = default;
  IdentityKey& operator=(const IdentityKey&) = default;
  IdentityKey& operator=(IdentityKey&&) = default;
  ~IdentityKey();
};

// The same for two identities that one and the same device would match, whoever they belong to and
// whenever its clock began.
std::uint64_t same_device_hash(const IdentityKey& key);

}  // namespace welcome::beacon
