// SPDX-License-Identifier: Apache-2.0
#include "contract/digest.h"

#include <sodium.h>

#include "core/hex.h"

namespace welcome::contract {

void Digest::toggle(std::string_view key, std::uint64_t seq) {
  std::string text(key);
  text += '\0';
  text += std::to_string(seq);
  std::array<std::uint8_t, 16> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()),
                     text.size(), nullptr, 0);
  for (std::size_t i = 0; i < hash.size(); ++i) bytes_[i] ^= hash[i];
}

void Digest::add(const Digest& other) {
  for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] ^= other.bytes_[i];
}

std::string Digest::hex() const { return to_hex(bytes_); }

std::optional<Digest> Digest::from_hex(std::string_view hex) {
  Digest digest;
  if (!welcome::from_hex(hex, digest.bytes_)) return std::nullopt;
  return digest;
}

}  // namespace welcome::contract
