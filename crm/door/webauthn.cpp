// SPDX-License-Identifier: Apache-2.0
#include "crm/door/webauthn.h"

#include <array>
#include <nlohmann/json.hpp>
#include <sodium.h>
#include <utility>

#include "crm/door/cbor.h"
#include "crm/door/cose.h"

namespace welcome::crm::webauthn {
namespace {

using json = nlohmann::json;

// Far above what browsers and authenticators send.
constexpr std::size_t kClientDataMost = 2048, kAttestationMost = 8192,
                      kAuthenticatorDataMost = 4096;
constexpr std::size_t kCredentialMost = 1023;  // 7.1, step 25
constexpr int kDeepest = 4;

constexpr std::size_t kHashSize = 32, kMakerSize = 16;

// Flags of authenticator data (6.1).
constexpr unsigned kPresent = 0x01, kVerified = 0x04, kAttested = 0x40, kExtended = 0x80;

tl::unexpected<Error> broken(const char* what) { return fail(ErrorCode::malformed, what); }
tl::unexpected<Error> refused(const char* what) { return fail(ErrorCode::refused, what); }

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> out{};
  crypto_hash_sha256(out.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

// ---- client data ----

std::optional<json> parsed(std::string_view client_data) {
  if (client_data.size() > kClientDataMost) return std::nullopt;
  bool deep = false;
  json out = json::parse(
      client_data,
      [&](int depth, json::parse_event_t, json&) {
        deep = deep || depth > kDeepest;
        return !deep;
      },
      false);
  if (deep || !out.is_object()) return std::nullopt;
  return out;
}

bool says(const json& object, const char* name, std::string_view words) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() &&
         found->get_ref<const std::string&>() == words;
}

Result<void> check_client_data(const Expected& expected, std::string_view client_data,
                               std::string_view type) {
  const auto said = parsed(client_data);
  if (!said) return broken("client data are a small JSON object");
  if (!says(*said, "type", type)) return refused("this is of another ceremony");
  if (expected.challenge.empty() || !says(*said, "challenge", expected.challenge)) {
    return refused("this answers another challenge");
  }
  if (!says(*said, "origin", expected.origin)) return refused("another page asked for this");
  // A page within somebody else's page is not ours to trust.
  if (const auto cross = said->find("crossOrigin"); cross != said->end() && *cross != false) {
    return refused("a page within another one asked for this");
  }
  return {};
}

// ---- authenticator data ----

struct AuthenticatorData {
  unsigned flags = 0;
  std::uint32_t counter = 0;
  std::string_view credential, key;  // where there is one
};

std::optional<std::string_view> cut(std::string_view& from, std::size_t size) {
  if (from.size() < size) return std::nullopt;
  const auto out = from.substr(0, size);
  from.remove_prefix(size);
  return out;
}

std::uint32_t number(std::string_view bytes) {
  std::uint32_t out = 0;
  for (const char byte : bytes) out = out << 8U | static_cast<unsigned char>(byte);
  return out;
}

// 6.5.1: who made it, which is not looked at; the credential's id and its key.
bool take_credential(std::string_view& from, AuthenticatorData& to) {
  if (!cut(from, kMakerSize)) return false;
  const auto length = cut(from, 2);
  if (!length) return false;
  const std::size_t size = number(*length);
  const auto credential = size > 0 && size <= kCredentialMost ? cut(from, size) : std::nullopt;
  if (!credential) return false;
  to.credential = *credential;
  Cbor key(from);
  if (!key.skip()) return false;
  to.key = from.substr(0, from.size() - key.left().size());
  from = key.left();
  return true;
}

Result<AuthenticatorData> read_authenticator_data(const Expected& expected, std::string_view bytes,
                                                  bool with_credential) {
  if (bytes.size() > kAuthenticatorDataMost) return broken("authenticator data are too long");
  const auto host = cut(bytes, kHashSize), flags = cut(bytes, 1), counter = cut(bytes, 4);
  if (!host || !flags || !counter) return broken("authenticator data are too short");
  AuthenticatorData out;
  out.flags = number(*flags);
  out.counter = number(*counter);
  if (with_credential != ((out.flags & kAttested) != 0)) {
    return broken("a credential that should be there, or should not");
  }
  if (with_credential && !take_credential(bytes, out)) return broken("this is no credential");
  if ((out.flags & kExtended) != 0) {
    Cbor extensions(bytes);
    if (!extensions.skip()) return broken("these are no extensions");
    bytes = extensions.left();
  }
  if (!bytes.empty()) return broken("there is more than authenticator data");
  if (*host != sha256(expected.host)) return refused("this is for another host");
  if ((out.flags & kPresent) == 0) return refused("nobody was there");
  if ((out.flags & kVerified) == 0) return refused("who was there was not verified");
  return out;
}

// ---- attestation ----

struct Attestation {
  std::string_view format, data;
  std::optional<std::int64_t> algorithm;  // of a signature by the key itself
  std::string_view signature;
};

bool read_statement(Cbor& from, Attestation& to) {
  const auto count = from.map();
  if (!count) return false;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto name = from.text();
    if (name == "alg" && !to.algorithm) {
      to.algorithm = from.integer();
      if (!to.algorithm) return false;
    } else if (name == "sig" && to.signature.empty()) {
      const auto signature = from.bytes();
      if (!signature) return false;
      to.signature = *signature;
    } else {
      return false;  // certificates, say, for which nobody asked
    }
  }
  return true;
}

std::optional<Attestation> read_attestation(std::string_view bytes) {
  Cbor from(bytes);
  Attestation out;
  bool statement = false;
  if (from.map() != 3) return std::nullopt;
  for (int i = 0; i < 3; ++i) {
    const auto name = from.text();
    if (name == "fmt" && out.format.empty()) {
      const auto format = from.text();
      if (!format) return std::nullopt;
      out.format = *format;
    } else if (name == "authData" && out.data.empty()) {
      const auto data = from.bytes();
      if (!data) return std::nullopt;
      out.data = *data;
    } else if (name == "attStmt" && !statement) {
      statement = read_statement(from, out);
      if (!statement) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  if (!from.done()) return std::nullopt;
  return out;
}

// Nobody speaks for an authenticator: "none" (8.7), or "packed" by the new key itself (8.2), which
// a browser hands on as it is.
bool is_unattested(const Attestation& attestation, const CoseKey& key,
                   std::string_view client_data) {
  if (attestation.format == "none") {
    return !attestation.algorithm && attestation.signature.empty();
  }
  return attestation.format == "packed" && attestation.algorithm &&
         *attestation.algorithm == static_cast<std::int64_t>(key.algorithm()) &&
         key.has_signed(std::string(attestation.data) + sha256(client_data), attestation.signature);
}

}  // namespace

std::string challenge_of(std::string_view client_data) {
  const auto said = parsed(client_data);
  if (!said) return {};
  const auto found = said->find("challenge");
  return found != said->end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Created> check_created(const Expected& expected, std::string_view client_data,
                              std::string_view attestation) {
  if (attestation.size() > kAttestationMost) return broken("an attestation is not that long");
  if (auto ok = check_client_data(expected, client_data, "webauthn.create"); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto object = read_attestation(attestation);
  if (!object) return broken("this is no attestation object");
  const auto data = read_authenticator_data(expected, object->data, true);
  if (!data) return tl::unexpected(data.error());
  const auto key = CoseKey::read(data->key);
  if (!key) return tl::unexpected(key.error());
  if (!is_unattested(*object, *key, client_data)) return refused("an attestation by somebody");
  return Created{std::string(data->credential), std::string(data->key), data->counter};
}

Result<std::uint32_t> check_asserted(const Expected& expected, const Known& known,
                                     const Assertion& assertion) {
  if (auto ok = check_client_data(expected, assertion.client_data, "webauthn.get"); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto data = read_authenticator_data(expected, assertion.authenticator_data, false);
  if (!data) return tl::unexpected(data.error());
  const auto key = CoseKey::read(known.key);
  if (!key) return fail(ErrorCode::corrupt, "the key of this passkey is damaged");
  const std::string signed_bytes = assertion.authenticator_data + sha256(assertion.client_data);
  if (!key->has_signed(signed_bytes, assertion.signature)) {
    return refused("the signature is by another key");
  }
  // Passkeys that wander between devices have no counter, and say 0.
  if ((data->counter != 0 || known.counter != 0) && data->counter <= known.counter) {
    return refused("the counter does not go up: there is a copy");
  }
  return data->counter;
}

std::string host_of(std::string_view origin) {
  const auto scheme = origin.find("://");
  if (scheme == std::string_view::npos) return {};
  origin.remove_prefix(scheme + 3);
  const auto end = origin.starts_with('[') ? origin.find(']') + 1 : origin.find(':');
  return std::string(origin.substr(0, end));
}

}  // namespace welcome::crm::webauthn
