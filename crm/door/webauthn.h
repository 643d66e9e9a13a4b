// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a browser brings when a passkey was made or used (Web Authentication Level 2, 7.1 and 7.2),
// checked without a database: the caller knows which challenge was given to whom, and whose the
// passkey is. Nothing is asked about who made the authenticator.
//
// Bytes from outside: everything is bounded, and nothing throws but std::bad_alloc. Errors:
// malformed (it is not what the standard describes), refused (a check says no); which check, the
// message says, for tests and for whoever looks for the cause.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace welcome::crm::webauthn {

// What it has to be about.
struct Expected {
  std::string challenge;  // as the browser says it: base64url without padding
  std::string origin;     // https://my.example.com
  std::string host;       // my.example.com, the "relying party"
};

struct Created {
  std::string credential;  // its id: bytes
  std::string key;         // CoseKey::read() reads it
  std::uint32_t counter = 0;
};

// What is known of a passkey that was made before.
struct Known {
  std::string key;
  std::uint32_t counter = 0;
};

struct Assertion {
  std::string client_data, authenticator_data, signature;
};

// The challenge that client data names, whoever made them. Empty: they are none.
std::string challenge_of(std::string_view client_data);

Result<Created> check_created(const Expected& expected, std::string_view client_data,
                              std::string_view attestation);
// The counter from now on.
Result<std::uint32_t> check_asserted(const Expected& expected, const Known& known,
                                     const Assertion& assertion);

// my.example.com of https://my.example.com:8443
std::string host_of(std::string_view origin);

}  // namespace welcome::crm::webauthn
