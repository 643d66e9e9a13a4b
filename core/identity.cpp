// SPDX-License-Identifier: Apache-2.0
#include "core/identity.h"

#include <algorithm>
#include <span>
#include <type_traits>

#include "core/hex.h"

namespace welcome {

namespace {

using KeyBytes = std::array<std::uint8_t, 16>;

// Most significant byte first. Core Specification 5.4: IRK of Vol 3, Part H, D.7, and LTK of Vol 6,
// Part C, 1, which find their way from examples into devices.
constexpr std::array<KeyBytes, 2> kPublishedKeys{{
    {0xEC, 0x02, 0x34, 0xA3, 0x57, 0xC8, 0xAD, 0x05, 0x34, 0x10, 0x10, 0xA6, 0x0A, 0x39, 0x7D,
     0x9B},
    {0x4C, 0x68, 0x38, 0x41, 0x39, 0xF5, 0x74, 0xD8, 0x36, 0xBC, 0xF3, 0x4E, 0x9D, 0xFB, 0x01,
     0xBF},
}};

KeyBytes reversed(KeyBytes key) {
  std::reverse(key.begin(), key.end());
  return key;
}

bool blank(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0x00; }) ||
         std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0xFF; });
}

Result<void> check_key(const std::string& where, const KeyBytes& key) {
  if (blank(key)) return fail(ErrorCode::refused, where + ": zeros or ones alone are no key");
  for (const KeyBytes& published : kPublishedKeys) {
    if (key == published || key == reversed(published)) {
      return fail(ErrorCode::refused,
                  where + ": this key is published as an example, and is no secret");
    }
  }
  return {};
}

Result<void> check_id(const std::string& where, std::span<const std::uint8_t> id) {
  if (blank(id)) return fail(ErrorCode::refused, where + ": zeros or ones alone are nobody's");
  return {};
}

}  // namespace

Result<void> validate(const IdentityItem& item) {
  return std::visit(
      [](const auto& key) -> Result<void> {
        using Key = std::decay_t<decltype(key)>;
        if constexpr (std::is_same_v<Key, RotatingKey>) {
          return check_key("key", key.key);
        } else if constexpr (std::is_same_v<Key, ResolvingKey>) {
          return check_key("irk", key.irk);
        } else if constexpr (std::is_same_v<Key, IbeaconId>) {
          return check_id("uuid", key.uuid);
        } else if constexpr (std::is_same_v<Key, AltBeaconId>) {
          return check_id("id", key.id);
        } else {
          return check_id("namespace", key.name_space);
        }
      },
      item.key);
}

std::string device_of(const IdentityItem& item) {
  return std::visit(
      [](const auto& key) -> std::string {
        using Key = std::decay_t<decltype(key)>;
        if constexpr (std::is_same_v<Key, RotatingKey>) {
          return "key " + to_hex(key.key);
        } else if constexpr (std::is_same_v<Key, ResolvingKey>) {
          // Whichever way round it was written.
          return "irk " + to_hex(std::min(key.irk, reversed(key.irk)));
        } else if constexpr (std::is_same_v<Key, IbeaconId>) {
          return "ibeacon " + to_hex(key.uuid) + " " + std::to_string(key.major) + " " +
                 std::to_string(key.minor);
        } else if constexpr (std::is_same_v<Key, AltBeaconId>) {
          return "altbeacon " + to_hex(key.id);
        } else {
          return "uid " + to_hex(key.name_space) + to_hex(key.instance);
        }
      },
      item.key);
}

}  // namespace welcome
