// SPDX-License-Identifier: Apache-2.0
#pragma once
// The passkeys of customers, and the challenges that they answer. What a browser says of one is
// checked in crm/door/webauthn.h; here is whose it is. A challenge is a secret that the database
// keeps as its hash, so that it outlives a restart and any instance of `serve` takes the answer.
//
// What changes something runs inside the caller's Transaction. One thread.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "crm/crm.h"
#include "crm/door/webauthn.h"

namespace welcome::crm {

struct Passkey {
  std::string id;          // its name for everybody but browsers
  std::string credential;  // its name for them, base64url
  std::string customer, name, made_at;
  std::optional<std::string> used_at;
  webauthn::Known known;
};

class Passkeys {
 public:
  static constexpr std::size_t kMost = 10;  // of a customer
  static constexpr std::chrono::minutes kChallengeLife{5};

  explicit Passkeys(Crm& crm) : crm_(crm), db_(crm.database()) {}

  // What a challenge is for: to make a passkey, to confirm that it is still them, to sign in.
  enum class For : std::uint8_t { create, confirm, enter };
  // 32 random bytes, base64url. `session`: the hash of its token; it has one challenge at a time.
  // Empty: of who is not signed in.
  std::string new_challenge(For what, const std::string& session, WallTime now);
  // Once, whatever comes of it. False: it is none, not of this session, or over.
  bool take_challenge(const std::string& challenge, For what, const std::string& session,
                      WallTime now);

  // What authenticators know a customer by: random, and the same for all their passkeys.
  std::string handle_of(const std::string& customer);
  // Empty: none was asked for yet.
  std::string known_handle_of(const std::string& customer);

  std::vector<Passkey> of(const std::string& customer);  // the newest first
  std::optional<Passkey> find(const std::string& credential);
  // False: somebody has it already.
  bool add(const std::string& customer, const webauthn::Created& created, const std::string& name,
           WallTime now);
  // False: it was used in the meantime, by a copy, or is gone.
  bool use(const Passkey& passkey, std::uint32_t counter, WallTime now);
  // `how`: app, crm. False: this customer has none of this id.
  bool remove(const std::string& customer, const std::string& id, const char* how, WallTime now);

 private:
  void note(const std::string& customer, const char* kind, const std::string& name, const char* how,
            WallTime now);

  Crm& crm_;
  Database& db_;
};

}  // namespace welcome::crm
