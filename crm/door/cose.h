// SPDX-License-Identifier: Apache-2.0
#pragma once
// The public key of a passkey as its authenticator says it (COSE_Key, RFC 9052 and 8230), and
// signatures by it: ES256 on P-256, EdDSA on Ed25519, and RS256, which Windows Hello has.
//
// A value of plain bytes; any thread. Throws nothing but std::bad_alloc.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.h"

namespace welcome::crm {

class Cbor;

class CoseKey {
 public:
  enum class Algorithm : std::int16_t { es256 = -7, eddsa = -8, rs256 = -257 };

  // Errors: malformed (no key, more than a key, or numbers that are none), refused (another
  // algorithm).
  static Result<CoseKey> read(Cbor& from);
  static Result<CoseKey> read(std::string_view bytes);  // and nothing after it

  Algorithm algorithm() const { return algorithm_; }
  bool has_signed(std::string_view message, std::string_view signature) const;

 private:
  CoseKey() = default;
  CoseKey(Algorithm algorithm, std::string x, std::string y)
      : algorithm_(algorithm), x_(std::move(x)), y_(std::move(y)) {}

  Algorithm algorithm_ = Algorithm::es256;
  std::string x_, y_;  // of a point; of RSA: modulus and exponent
};

}  // namespace welcome::crm
