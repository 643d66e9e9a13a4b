// SPDX-License-Identifier: Apache-2.0
#include "provision/invitation.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <sodium.h>
#include <tuple>
#include <utility>

#include "core/base64.h"

namespace welcome::provision {

// What is made of a code (RFC 5869 with SHA-256, no salt).
class Derived {
 public:
  explicit Derived(const InvitationCode& code) {
    Key extracted{};
    const Key no_salt{};
    mac(no_salt, code.symbols_, extracted);
    // One block of output is one round: the text, and the number of the round.
    mac(extracted, std::string(kSealInfo) + '\x01', seal_key);
    Key seed{};
    mac(extracted, std::string(kNameInfo) + '\x01', seed);
    crypto_sign_seed_keypair(public_key.data(), secret_key.data(), seed.data());
    sodium_memzero(extracted.data(), extracted.size());
    sodium_memzero(seed.data(), seed.size());
  }
  ~Derived() {
    sodium_memzero(seal_key.data(), seal_key.size());
    sodium_memzero(secret_key.data(), secret_key.size());
  }
  Derived(const Derived&) = delete;
  Derived& operator=(const Derived&) = delete;

  using Key = std::array<std::uint8_t, 32>;
  Key seal_key{}, public_key{};
  std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> secret_key{};

 private:
  static constexpr std::string_view kSealInfo = "welcomed invitation v1 seal";
  static constexpr std::string_view kNameInfo = "welcomed invitation v1 name";

  static void mac(const Key& key, std::string_view text, Key& out) {
    static_assert(crypto_auth_hmacsha256_BYTES == std::tuple_size_v<Key>);
    crypto_auth_hmacsha256(out.data(), reinterpret_cast<const unsigned char*>(text.data()),
                           text.size(), key.data());
  }
};

namespace {

using nlohmann::json;

// Crockford's base32: no I, L, O or U.
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kSymbols = 25;  // the last one checks the others
constexpr std::size_t kGroup = 5;
constexpr std::string_view kSealedAs = "welcomed invitation v1";
constexpr std::size_t kNonce = crypto_aead_chacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_chacha20poly1305_ietf_ABYTES;
constexpr int kVersion = 1;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The check is a word of a Reed-Solomon code over GF(32), x^5 + x^2 + 1: each place counts by
// another power of x, so that one wrong sign, and two that changed places, never pass.
unsigned times_x(unsigned value) {
  value <<= 1U;
  return (value & 0x20U) != 0 ? value ^ 0x25U : value;
}

unsigned checksum(std::string_view symbols) {
  unsigned sum = 0;
  for (const char c : symbols) sum = times_x(sum) ^ static_cast<unsigned>(kAlphabet.find(c));
  return sum;
}

// The last sign counts as it is: what the others come to when it is nothing, it has to be.
char check_sign(std::string_view symbols) { return kAlphabet[times_x(checksum(symbols))]; }

char meant(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  if (c == 'O') return '0';
  if (c == 'I' || c == 'L') return '1';
  return c;
}

std::string signed_text(const std::string& invitation, const std::string& box_key) {
  return "welcomed provision v1\n" + invitation + "\n" + box_key + "\n";
}

std::string signature(std::string_view text, const unsigned char* secret_key) {
  std::array<std::uint8_t, crypto_sign_BYTES> out{};
  crypto_sign_detached(out.data(), nullptr, bytes(text), text.size(), secret_key);
  return to_base64(out);
}

bool has_signed(const std::string& key, const std::string& text, const std::string& signature) {
  std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> by{};
  std::array<std::uint8_t, crypto_sign_BYTES> is{};
  return from_base64(key, by) && from_base64(signature, is) &&
         crypto_sign_verify_detached(is.data(), bytes(text), text.size(), by.data()) == 0;
}

std::optional<Invitation> read_json(const std::string& text) {
  const json all = json::parse(text, nullptr, false);
  if (!all.is_object() || all.value("v", json()) != kVersion) return std::nullopt;
  try {
    Invitation out;
    for (const auto& [name, field] : {std::pair{"tenant", &out.tenant},
                                      {"store", &out.store},
                                      {"box", &out.box},
                                      {"host", &out.host},
                                      {"ca", &out.ca},
                                      {"password", &out.password},
                                      {"crm_keys", &out.crm_keys},
                                      {"expires_at", &out.expires_at}}) {
      *field = all.at(name).get<std::string>();
    }
    out.port = all.at("port").get<std::uint16_t>();
    out.tls = all.at("tls").get<bool>();
    return out;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

InvitationCode InvitationCode::fresh() {
  std::string symbols;
  for (std::size_t i = 0; i + 1 < kSymbols; ++i) {
    symbols += kAlphabet[randombytes_uniform(kAlphabet.size())];
  }
  symbols += check_sign(symbols);
  return InvitationCode(std::move(symbols));
}

Result<InvitationCode> InvitationCode::read(std::string_view typed) {
  std::string symbols;
  for (const char c : typed) {
    if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    const char sign = meant(c);
    if (kAlphabet.find(sign) == std::string_view::npos) {
      return fail(ErrorCode::malformed,
                  "this is no code: it has a sign that no code has (only letters without U, and "
                  "digits)");
    }
    symbols += sign;
    if (symbols.size() > kSymbols) break;
  }
  InvitationCode code(std::move(symbols));
  if (code.symbols_.size() != kSymbols) {
    return fail(ErrorCode::malformed, "a code has 25 letters and digits, and this has " +
                                          std::string(code.symbols_.size() > kSymbols
                                                          ? "more"
                                                          : std::to_string(code.symbols_.size())));
  }
  if (checksum(code.symbols_) != 0) {
    return fail(ErrorCode::malformed,
                "a slip of the pen: one sign is wrong, or two changed places");
  }
  return code;
}

InvitationCode::~InvitationCode() { sodium_memzero(symbols_.data(), symbols_.size()); }

std::string InvitationCode::text() const {
  std::string out;
  for (std::size_t at = 0; at < symbols_.size(); at += kGroup) {
    out += (at == 0 ? "" : "-") + symbols_.substr(at, kGroup);
  }
  return out;
}

std::string InvitationCode::name() const { return to_base64(Derived(*this).public_key); }

std::string seal(const InvitationCode& code, const Invitation& invitation) {
  std::string plain = json{{"v", kVersion},
                           {"tenant", invitation.tenant},
                           {"store", invitation.store},
                           {"box", invitation.box},
                           {"host", invitation.host},
                           {"port", invitation.port},
                           {"tls", invitation.tls},
                           {"ca", invitation.ca},
                           {"password", invitation.password},
                           {"crm_keys", invitation.crm_keys},
                           {"expires_at", invitation.expires_at}}
                          .dump();
  std::string out(kNonce + plain.size() + kTag, '\0');
  auto* const to = reinterpret_cast<unsigned char*>(out.data());
  randombytes_buf(to, kNonce);
  crypto_aead_chacha20poly1305_ietf_encrypt(to + kNonce, nullptr, bytes(plain), plain.size(),
                                            bytes(kSealedAs), kSealedAs.size(), nullptr, to,
                                            Derived(code).seal_key.data());
  sodium_memzero(plain.data(), plain.size());
  return to_base64(out);
}

Result<Invitation> open(const InvitationCode& code, std::string_view sealed) {
  const auto refused = [] {
    return fail(ErrorCode::refused,
                "this code does not open the invitation: it is another one's, or it was changed");
  };
  if (sealed.size() > kSealedMost) return refused();
  const auto raw = from_base64(sealed);
  if (!raw || raw->size() < kNonce + kTag) return refused();
  std::string plain(raw->size() - kNonce - kTag, '\0');
  if (crypto_aead_chacha20poly1305_ietf_decrypt(
          reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr, bytes(*raw) + kNonce,
          raw->size() - kNonce, bytes(kSealedAs), kSealedAs.size(), bytes(*raw),
          Derived(code).seal_key.data()) != 0) {
    return refused();
  }
  auto out = read_json(plain);
  sodium_memzero(plain.data(), plain.size());
  if (!out) {
    return fail(ErrorCode::malformed,
                "this invitation was written by a newer welcome-crm: update the box's package");
  }
  return *std::move(out);
}

ProvisionRequest request_by(const InvitationCode& code, std::span<const std::uint8_t, 32> seed) {
  std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> box_key{};
  std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> box_secret{};
  crypto_sign_seed_keypair(box_key.data(), box_secret.data(), seed.data());
  const Derived derived(code);
  ProvisionRequest out;
  out.invitation = to_base64(derived.public_key);
  out.box_key = to_base64(box_key);
  const std::string text = signed_text(out.invitation, out.box_key);
  out.proof = signature(text, derived.secret_key.data());
  out.box_proof = signature(text, box_secret.data());
  sodium_memzero(box_secret.data(), box_secret.size());
  return out;
}

bool proves(const ProvisionRequest& request) {
  const std::string text = signed_text(request.invitation, request.box_key);
  return has_signed(request.invitation, text, request.proof) &&
         has_signed(request.box_key, text, request.box_proof);
}

}  // namespace welcome::provision
