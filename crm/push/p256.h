// SPDX-License-Identifier: Apache-2.0
#pragma once
// A key on the curve P-256, as Web Push uses it: to agree on a secret (RFC 8291) and to sign (RFC
// 8292, ES256). OpenSSL's; a point is 65 bytes, 04 before x and y, a scalar 32.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace welcome::crm {

using P256Scalar = std::array<std::uint8_t, 32>;

class P256 {
 public:
  static P256 make();  // throws std::runtime_error where there is no randomness
  static std::optional<P256> of(const P256Scalar& scalar);  // nothing: that is no key
  P256(P256&&) noexcept;
  P256& operator=(P256&&) noexcept;
  ~P256();

  const std::string& point() const { return point_; }
  P256Scalar scalar() const;
  // The x that both sides get (ECDH). Nothing: `point` is not on the curve.
  std::optional<std::string> agree(std::string_view point) const;
  std::string sign(std::string_view message) const;  // SHA-256; r and s, 64 bytes

 private:
  struct Key;
  explicit P256(std::unique_ptr<Key> key);
  std::unique_ptr<Key> key_;
  std::string point_;
};

}  // namespace welcome::crm
