// SPDX-License-Identifier: Apache-2.0
#include "beacon/identity.h"

#include <algorithm>
#include <openssl/crypto.h>
#include <span>

namespace welcome::beacon {

std::string_view to_string(IdentityKind kind) {
  static constexpr std::array<std::string_view, 6> kNames{
      "eddystone_eid", "rotating_uuid", "irk", "ibeacon", "altbeacon", "eddystone_uid"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::uint64_t same_device_hash(const IdentityKey& key) {
  // FNV-1a
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  const auto mix = [&](std::span<const std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001B3ULL;
  };
  // A key is a key, whichever of the rotating frames it makes.
  const IdentityKind kind =
      key.kind == IdentityKind::rotating_uuid ? IdentityKind::eddystone_eid : key.kind;
  const auto number = static_cast<std::uint8_t>(kind);
  mix({&number, 1});
  auto bytes = key.key;
  if (kind == IdentityKind::irk) {  // whichever way round it was written
    std::reverse(bytes.begin(), bytes.end());
    bytes = std::min(bytes, key.key);
  }
  mix(bytes);
  mix(key.static_id);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return hash;
}

IdentityKey::~IdentityKey() { OPENSSL_cleanse(key.data(), key.size()); }

}  // namespace welcome::beacon
