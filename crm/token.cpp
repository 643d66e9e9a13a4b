// SPDX-License-Identifier: Apache-2.0
#include "crm/token.h"

#include <array>
#include <sodium.h>

#include "core/hex.h"

namespace welcome::crm {

std::string new_token() {
  std::array<unsigned char, 32> raw{};
  randombytes_buf(raw.data(), raw.size());
  std::array<char, kTokenSize + 1> text{};
  sodium_bin2base64(text.data(), text.size(), raw.data(), raw.size(),
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  return {text.data(), kTokenSize};
}

std::string token_hash(std::string_view token) {
  std::array<unsigned char, crypto_generichash_BYTES> out{};
  crypto_generichash(out.data(), out.size(), reinterpret_cast<const unsigned char*>(token.data()),
                     token.size(), nullptr, 0);
  return to_hex(out);
}

}  // namespace welcome::crm
