// SPDX-License-Identifier: Apache-2.0
#include "crm/token.h"

#include <array>
#include <sodium.h>

#include "core/hex.h"
#include "crm/base64url.h"

namespace welcome::crm {

std::string new_token() {
  std::string raw(32, '\0');
  randombytes_buf(raw.data(), raw.size());
  return to_base64url(raw);
}

std::string token_hash(std::string_view token) {
  std::array<unsigned char, crypto_generichash_BYTES> out{};
  crypto_generichash(out.data(), out.size(), reinterpret_cast<const unsigned char*>(token.data()),
                     token.size(), nullptr, 0);
  return to_hex(out);
}

}  // namespace welcome::crm
