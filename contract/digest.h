// SPDX-License-Identifier: Apache-2.0
#pragma once
// Digest: what tells two sides of the feed whether they hold the same items (docs/protocol.md).
// A value, any thread.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace welcome::contract {

// 128 bits; XOR of one value per live item.
class Digest {
 public:
  void toggle(std::string_view key, std::uint64_t seq);
  void add(const Digest& other);  // that of both, if they have no item in common
  std::string hex() const;
  static std::optional<Digest> from_hex(std::string_view hex);
  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace welcome::contract
