// SPDX-License-Identifier: Apache-2.0
#pragma once
// The invitation of a box: what head office hands its technician (docs/crm.md, "Invitations"; the
// bytes are in docs/protocol.md, "Invitation of a box").
//
// A code of 120 random bits is all that a person carries. Two things are made of it: the key that
// the invitation is sealed with, and an Ed25519 key whose public half is the invitation's name at
// the CRM. So the CRM keeps what it can neither open nor answer, and so does whoever is between it
// and the box; whoever has the code has the invitation.
//
// Values; any thread. Needs a libsodium that was started. Throws std::bad_alloc alone.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/result.h"

namespace welcome::provision {

// Wiped when it goes.
class InvitationCode {
 public:
  static InvitationCode fresh();
  // As somebody types or scans it: small letters, blanks and hyphens as they like, O for 0, I and L
  // for 1. Errors: malformed (says what is wrong: too short, a sign that is none, a slip).
  static Result<InvitationCode> read(std::string_view typed);
  InvitationCode(const InvitationCode&) = default;
  InvitationCode(InvitationCode&&) = default;
  InvitationCode& operator=(const InvitationCode&) = default;
  InvitationCode& operator=(InvitationCode&&) = default;
  ~InvitationCode();

  std::string text() const;  // 7K2QD-0M4XW-…
  // Its name at the CRM: base64 of a public key.
  std::string name() const;

 private:
  explicit InvitationCode(std::string symbols) : symbols_(std::move(symbols)) {}
  friend class Derived;

  std::string symbols_;  // without hyphens
};

struct Invitation {
  std::string tenant, store, box;
  std::string host;  // of the central broker
  std::uint16_t port = 8883;
  bool tls = true;
  std::string ca;  // whose word for the broker counts, PEM; empty: those of the machine
  std::string password;
  std::string crm_keys;    // the lines of `welcome-crm sign-keys`
  std::string expires_at;  // RFC 3339
};

inline constexpr std::size_t kSealedMost = 64UL * 1024;  // characters

// Base64.
std::string seal(const InvitationCode& code, const Invitation& invitation);
// Errors: refused (not sealed with this code, or not what it was), malformed (of a version that
// this program does not know).
Result<Invitation> open(const InvitationCode& code, std::string_view sealed);

// What a box says for its invitation (POST /v1/provision). All base64.
struct ProvisionRequest {
  std::string invitation;  // its name
  std::string box_key;     // the box's public key
  std::string proof;       // that it has the code
  std::string box_proof;   // that it has the box's secret key
};

// `seed`: of the key that the box signs with (control::signing_seed()).
ProvisionRequest request_by(const InvitationCode& code, std::span<const std::uint8_t, 32> seed);
// Both proofs are good. Whether there is such an invitation, the CRM knows.
bool proves(const ProvisionRequest& request);

}  // namespace welcome::provision
