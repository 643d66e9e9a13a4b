// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ed25519 signatures over the canonical form of a JSON object (docs/protocol.md, "Signatures").
// Keys have ids, so that a new key can be pinned while the old one still counts.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace welcome::contract {

using Ed25519Public = std::array<std::uint8_t, 32>;

// A public key as configuration, messages and people say it: base64 of the 32 bytes.
std::string public_key_text(const Ed25519Public& key);
Result<Ed25519Public> public_key_from_text(std::string_view text);
// For people to compare: the first 8 bytes of BLAKE2b-256 of the key, as hex in groups of four.
std::string fingerprint(const Ed25519Public& key);

// RFC 8785 for the JSON of this contract: object members sorted by UTF-16 code units, no white
// space, shortest escapes. Numbers must be integers of at most 53 bits; others are refused.
Result<std::string> canonical_json(std::string_view json);

class Signer {
 public:
  // 32 bytes from which the key pair is derived; wiped when the signer goes.
  Signer(std::string key_id, const std::array<std::uint8_t, 32>& seed);
  ~Signer();
  Signer(const Signer&) = delete;
  Signer& operator=(const Signer&) = delete;

  static std::array<std::uint8_t, 32> new_seed();

  const std::string& key_id() const { return key_id_; }
  const Ed25519Public& public_key() const { return public_; }

  // The object with a "sig" member over everything else; an old "sig" is replaced.
  Result<std::string> sign(std::string_view json) const;
  // Base64 of the signature of any bytes; KeyRing::verify_bytes() checks it.
  std::string sign_bytes(std::string_view message) const;

 private:
  std::string key_id_;
  Ed25519Public public_{};
  std::array<std::uint8_t, 64> secret_{};
  class ForLong;
  std::unique_ptr<const ForLong> for_long_;
};

class KeyRing {
 public:
  void pin(std::string key_id, const Ed25519Public& key);
  void drop(std::string_view key_id);
  bool empty() const { return keys_.empty(); }
  bool includes(const KeyRing& other) const;
  bool has(std::string_view key_id) const { return keys_.find(key_id) != keys_.end(); }
  const std::map<std::string, Ed25519Public, std::less<>>& keys() const { return keys_; }

  // The object's "sig" must be by a pinned key over everything else.
  Result<void> verify(std::string_view json) const;
  // The same for any bytes; the signature is base64 of 64 bytes.
  Result<void> verify_bytes(std::string_view message, std::string_view key_id,
                            std::string_view signature) const;

  // One key per line: id, blank, base64 of 32 bytes; '#' starts a comment.
  static Result<KeyRing> parse(std::string_view text);
  std::string to_text() const;

 private:
  std::map<std::string, Ed25519Public, std::less<>> keys_;
};

}  // namespace welcome::contract
