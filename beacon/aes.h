// SPDX-License-Identifier: Apache-2.0
#pragma once
// AES-128, one block at a time. libcrypto expands the key; the rounds run on the processor's AES
// instructions where it has them, else in libcrypto (docs/decisions/: why not EVP). The expanded
// key is wiped at the end.

#include <array>
#include <cstdint>

namespace welcome::beacon {

using Block = std::array<std::uint8_t, 16>;

class Aes128 {
 public:
  explicit Aes128(const Block& key);
  Aes128(const Aes128&) = default;
  Aes128& operator=(const Aes128&) = default;
  ~Aes128();

  Block encrypt(const Block& in) const;
  Block encrypt_in_libcrypto(const Block& in) const;  // the same, without the instructions

  static bool hardware();

 private:
  std::array<Block, 11> round_keys_;  // FIPS 197 byte order
};

}  // namespace welcome::beacon
