// SPDX-License-Identifier: Apache-2.0
#pragma once
// An authenticator and its browser (Web Authentication Level 2) with a real key, for tests: each
// thing that they say can be said wrongly. Throws when OpenSSL does not do what it always does.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdexcept>
#include <string>
#include <string_view>

namespace welcome::harness {

namespace cbor {

inline std::string head(unsigned kind, std::uint64_t value) {
  const int size = value < 24 ? 0 : value < 256 ? 1 : value < 65536 ? 2 : 4;
  const unsigned how =
      size == 0 ? static_cast<unsigned>(value) : 23U + static_cast<unsigned>(size == 4 ? 3 : size);
  std::string out(1, static_cast<char>(kind << 5U | how));
  for (int i = size - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
  return out;
}
inline std::string integer(std::int64_t value) {
  return value < 0 ? head(1, static_cast<std::uint64_t>(-1 - value))
                   : head(0, static_cast<std::uint64_t>(value));
}
inline std::string bytes(std::string_view of) { return head(2, of.size()) + std::string(of); }
inline std::string text(std::string_view of) { return head(3, of.size()) + std::string(of); }
inline std::string map(std::size_t pairs) { return head(5, pairs); }

}  // namespace cbor

class Authenticator {
 public:
  static constexpr int kEs256 = -7, kEdDsa = -8, kRs256 = -257;

  explicit Authenticator(int algorithm = kEs256) : algorithm_(algorithm) {
    const char* kind = algorithm == kEs256 ? "EC" : algorithm == kEdDsa ? "ED25519" : "RSA";
    key_.reset(algorithm == kEs256   ? EVP_PKEY_Q_keygen(nullptr, nullptr, kind, "P-256")
               : algorithm == kEdDsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, kind)
                                     : EVP_PKEY_Q_keygen(nullptr, nullptr, kind, std::size_t{2048}),
               EVP_PKEY_free);
    must(key_ != nullptr);
    randombytes_buf(credential.data(), credential.size());
  }

  std::string origin = "https://my.aroma.example", host = "my.aroma.example";
  std::string credential = std::string(32, '\0');
  std::uint32_t counter = 0;
  bool counts = true;
  unsigned flags = 0x05;   // somebody was there, and it was who may
  std::string more;        // of the client data: ,"crossOrigin":true
  std::string extensions;  // behind the authenticator data

  std::string client_data(std::string_view type, std::string_view challenge) const {
    return R"({"type":")" + std::string(type) + R"(","challenge":")" + std::string(challenge) +
           R"(","origin":")" + origin + "\"" + more + "}";
  }

  std::string cose() const {
    using namespace cbor;
    if (algorithm_ == kEs256) {
      const std::string point = octets(OSSL_PKEY_PARAM_PUB_KEY);  // 04, x, y
      return map(5) + integer(1) + integer(2) + integer(3) + integer(-7) + integer(-1) +
             integer(1) + integer(-2) + bytes(point.substr(1, 32)) + integer(-3) +
             bytes(point.substr(33));
    }
    if (algorithm_ == kEdDsa) {
      return map(4) + integer(1) + integer(1) + integer(3) + integer(-8) + integer(-1) +
             integer(6) + integer(-2) + bytes(octets(OSSL_PKEY_PARAM_PUB_KEY));
    }
    return map(4) + integer(1) + integer(3) + integer(3) + integer(-257) + integer(-1) +
           bytes(number(OSSL_PKEY_PARAM_RSA_N)) + integer(-2) +
           bytes(number(OSSL_PKEY_PARAM_RSA_E));
  }

  std::string authenticator_data(bool attested) const {
    std::string out = sha256(host);
    out += static_cast<char>(flags | (attested ? 0x40U : 0U) | (extensions.empty() ? 0U : 0x80U));
    for (int i = 3; i >= 0; --i) out += static_cast<char>(counter >> (8 * i) & 0xFFU);
    if (attested) {
      out += std::string(16, '\0');
      out += static_cast<char>(credential.size() >> 8U);
      out += static_cast<char>(credential.size() & 0xFFU);
      out += credential + cose();
    }
    return out + extensions;
  }

  // "none", which nobody speaks for.
  std::string attestation() const { return attestation(cbor::map(0), "none"); }
  std::string attestation(const std::string& statement, std::string_view format) const {
    return cbor::map(3) + cbor::text("fmt") + cbor::text(format) + cbor::text("attStmt") +
           statement + cbor::text("authData") + cbor::bytes(authenticator_data(true));
  }
  // "packed" by the key itself.
  std::string self_attestation(const std::string& client_data) const {
    const std::string signature = sign(authenticator_data(true) + sha256(client_data));
    return attestation(cbor::map(2) + cbor::text("alg") + cbor::integer(algorithm_) +
                           cbor::text("sig") + cbor::bytes(signature),
                       "packed");
  }

  struct Assertion {
    std::string client_data, authenticator_data, signature;
  };
  Assertion assertion(std::string_view challenge, std::string_view type = "webauthn.get") {
    if (counts) ++counter;
    Assertion out{client_data(type, challenge), authenticator_data(false), {}};
    out.signature = sign(out.authenticator_data + sha256(out.client_data));
    return out;
  }

  std::string sign(const std::string& message) const {
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> signer(EVP_MD_CTX_new(),
                                                                    EVP_MD_CTX_free);
    std::size_t size = 1024;
    std::string out(size, '\0');
    must(EVP_DigestSignInit_ex(signer.get(), nullptr, algorithm_ == kEdDsa ? nullptr : "SHA256",
                               nullptr, nullptr, key_.get(), nullptr) == 1);
    must(EVP_DigestSign(signer.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                        reinterpret_cast<const unsigned char*>(message.data()),
                        message.size()) == 1);
    out.resize(size);
    return out;
  }

  // As the door wants it said: bodies of a request, each a text by its name.
  using Body = std::map<std::string, std::string>;
  Body made(std::string_view challenge) const {
    return {{"name", "Phone"},
            {"client_data", base64url(client_data("webauthn.create", challenge))},
            {"attestation", base64url(attestation())}};
  }
  Body used(std::string_view challenge) {
    const Assertion said = assertion(challenge);
    return {{"passkey", base64url(credential)},
            {"client_data", base64url(said.client_data)},
            {"authenticator_data", base64url(said.authenticator_data)},
            {"signature", base64url(said.signature)}};
  }
  static std::string base64url(std::string_view bytes) {
    constexpr int kHow = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    std::string out(sodium_base64_encoded_len(bytes.size(), kHow), '\0');
    sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                      bytes.size(), kHow);
    out.pop_back();  // its end
    return out;
  }

  static std::string sha256(std::string_view bytes) {
    std::array<unsigned char, crypto_hash_sha256_BYTES> out{};
    crypto_hash_sha256(out.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                       bytes.size());
    return {reinterpret_cast<const char*>(out.data()), out.size()};
  }

 private:
  static void must(bool good) {
    if (!good) throw std::runtime_error("OpenSSL");
  }
  std::string octets(const char* name) const {
    std::array<unsigned char, 128> out{};
    std::size_t size = 0;
    must(EVP_PKEY_get_octet_string_param(key_.get(), name, out.data(), out.size(), &size) == 1);
    return {reinterpret_cast<const char*>(out.data()), size};
  }
  std::string number(const char* name) const {
    BIGNUM* found = nullptr;
    must(EVP_PKEY_get_bn_param(key_.get(), name, &found) == 1);
    std::string out(static_cast<std::size_t>(BN_num_bytes(found)), '\0');
    BN_bn2bin(found, reinterpret_cast<unsigned char*>(out.data()));
    BN_free(found);
    return out;
  }

  int algorithm_;
  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace welcome::harness
