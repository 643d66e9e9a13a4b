// SPDX-License-Identifier: Apache-2.0
#pragma once
// A JSON object that is signed as it is sent, byte for byte (docs/protocol.md, "Signatures"): for
// what is large or has fractions, where a canonical form would cost much or does not exist. Its
// last member, without white space, is
//   ,"sig":{"key":"k1","value":"…"}}
// and the signature covers the text without it. Whoever checks it reads exactly what was signed,
// and nothing else: no two readers can disagree on what that is.
//
// Pure; any thread.

#include <string>
#include <string_view>

#include "contract/signing.h"
#include "core/result.h"

namespace welcome::contract {

// `object`: the text of a JSON object that has members.
std::string sign_text(const Signer& signer, std::string_view object);

// The object that was signed. Errors: refused (not signed, by a key that is not pinned, wrongly),
// malformed.
Result<std::string> verified_text(const KeyRing& keys, std::string_view text);

}  // namespace welcome::contract
