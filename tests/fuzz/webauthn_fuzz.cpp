// SPDX-License-Identifier: Apache-2.0
// What a browser says about a passkey: whatever it is, it is read or refused, and what is taken is
// about the challenge, whole, and by the key.
//
// Input: a letter (c: a passkey that was made; a: one that was used; k: a key; b: CBOR), a byte
// with the length of the client data (of c and a), the client data, and the rest: an attestation;
// authenticator data, which end 37 bytes later, and a signature.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "core/hex.h"
#include "crm/door/cbor.h"
#include "crm/door/cose.h"
#include "crm/door/webauthn.h"

namespace {

using namespace welcome::crm;
using namespace welcome::crm::webauthn;

constexpr std::size_t kAuthenticatorData = 37;

// Of the standard's test vectors (16.3, 16.6), which the seeds are: those get all the way through.
const Expected kMade{"eGnCt3LUtY66k3jPjynibPk1qnffDaifqZwL3Ap29-U", "https://example.org",
                     "example.org"};
const Expected kUsed{"7x3rpW3OSPZ0pEfM9juVmSWM6HZI5cOW8u8ModpGDjs", "https://example.org",
                     "example.org"};
const std::string kKey = [] {
  std::string out(77, '\0');
  const bool read = welcome::from_hex(
      "a50102032620012158203b8176b7504489cc593046d7988abb7905a742de6ac2cdc748a873c663e90cb122582014"
      "3"
      "6d5edc9a75f23999eef9d5950a5c2455514ee1014084720f841a06b828a11",
      std::span(reinterpret_cast<std::uint8_t*>(out.data()), out.size()));
  if (!read) std::abort();
  return out;
}();

std::string cut(std::string_view& from, std::size_t size) {
  const std::string out(from.substr(0, size));
  from.remove_prefix(out.size());
  return out;
}

void made(const std::string& said, std::string_view attestation) {
  const auto found = check_created(kMade, said, attestation);
  if (!found) return;
  if (challenge_of(said) != kMade.challenge) std::abort();
  if (found->credential.empty() || found->credential.size() > 1023) std::abort();
  if (!CoseKey::read(found->key)) std::abort();
}

void used(const std::string& said, std::string_view rest) {
  const std::string data = cut(rest, kAuthenticatorData);
  const auto counter = check_asserted(kUsed, {kKey, 0}, {said, data, std::string(rest)});
  if (counter && (challenge_of(said) != kUsed.challenge || data.size() != kAuthenticatorData)) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string kind = cut(input, 1);
  if (kind == "k") {
    const auto key = CoseKey::read(input);
    if (key && key->has_signed(input, input)) std::abort();
  } else if (kind == "b") {
    Cbor from(input);
    if (from.skip() && from.left().size() >= input.size()) std::abort();
  } else if (kind == "c" || kind == "a") {
    const std::string length = cut(input, 1);
    const std::string said =
        cut(input, length.empty() ? 0 : static_cast<std::uint8_t>(length.front()));
    kind == "c" ? made(said, input) : used(said, input);
  }
  return 0;
}
