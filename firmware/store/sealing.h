// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sealing: XChaCha20-Poly1305 (IETF) of libsodium, and the keys that are derived from the box key.
// Internal to firmware/store. Sealed form: nonce (24) | ciphertext | tag (16).

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"

namespace welcome::store {

// 32 secret bytes that are wiped when they go out of scope.
class Secret {
 public:
  Secret() = default;
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret();

  static Secret random();
  static Secret from(std::span<const std::uint8_t, 32> bytes);

  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  static constexpr std::size_t size() { return 32; }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), size()}; }

 private:
  std::array<std::uint8_t, 32> bytes_{};
};

inline constexpr std::size_t kSealOverhead = 24 + 16;

// A customer as the file knows her: BLAKE2b-128 of the id, keyed with a key derived from the box
// key.
using CustomerHash = std::array<char, 16>;

inline std::string_view view(const CustomerHash& hash) { return {hash.data(), hash.size()}; }

class Sealer {
 public:
  explicit Sealer(std::span<const std::uint8_t, 32> box_key);
  ~Sealer();
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  // `label` says what it is and where it stands; a blob that was moved elsewhere does not open.
  std::string seal(const Secret& key, std::string_view label, std::string_view plain) const;
  static std::optional<std::string> open(const Secret& key, std::string_view label,
                                         std::string_view sealed);

  std::string wrap(const Secret& customer_key, std::string_view customer_hash) const;
  std::optional<Secret> unwrap(std::string_view wrapped, std::string_view customer_hash) const;

  CustomerHash hash(const CustomerId& customer) const;
  // Of a feed item's key, within its collection.
  CustomerHash item_hash(std::uint8_t collection, std::string_view key) const;
  // Tells whether a file was sealed by this box key.
  const std::string& key_check() const { return key_check_; }

  // For what is about nobody.
  const Secret& box_data_key() const { return box_data_; }

  // A file whose box key was changed keeps what customers are hashed with (rekey.h).
  const Secret& hash_key() const { return hash_; }
  void keep_hash_key(const Secret& key) { hash_ = key; }
  // For what such a file keeps.
  const Secret& keep_key() const { return keep_; }

  std::string sign(std::string_view message) const;  // 64 bytes
  static bool verify(std::string_view message, std::string_view signature,
                     std::string_view public_key);
  std::string_view public_key() const;
  std::array<std::uint8_t, 32> signing_seed() const;

 private:
  Secret wrap_;
  Secret hash_;
  Secret box_data_;
  Secret keep_;
  std::string key_check_;
  std::array<std::uint8_t, 64> sign_secret_{};
  std::array<std::uint8_t, 32> sign_public_{};
  std::array<std::uint8_t, 16> nonce_prefix_{};
  mutable std::uint64_t nonce_counter_ = 0;
};

// Several fields in one sealed column: each as a 32-bit little-endian length and its bytes.
std::string pack(std::initializer_list<std::string_view> fields);
// Exactly `count` fields, or nothing. The views point into `packed`.
std::optional<std::vector<std::string_view>> unpack(std::string_view packed, std::size_t count);

// BLAKE2b-256.
std::string blake2b(std::string_view bytes);

}  // namespace welcome::store
