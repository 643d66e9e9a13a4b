// SPDX-License-Identifier: Apache-2.0
#include "crm/push/webpush.h"

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <sodium.h>
#include <stdexcept>

#include "crm/base64url.h"
#include "crm/push/openssl_keys.h"

namespace welcome::crm::webpush {
namespace {

using namespace std::chrono_literals;
using openssl::raw;

constexpr std::size_t kSecretSize = 16, kKeySize = 16, kNonceSize = 12, kTagSize = 16;
constexpr std::uint32_t kRecordSize = 4096;  // more than any record of ours (RFC 8291, 4)
static_assert(kMostBytes + 1 + kTagSize < kRecordSize);
constexpr auto kWordLife = 12h;  // of a signed word; a day at most

unsigned char* raw(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

std::string hmac(std::string_view key, std::string_view message) {
  crypto_auth_hmacsha256_state state;
  std::string out(crypto_auth_hmacsha256_BYTES, '\0');
  crypto_auth_hmacsha256_init(&state, raw(key), key.size());
  crypto_auth_hmacsha256_update(&state, raw(message), message.size());
  crypto_auth_hmacsha256_final(&state, raw(out));
  return out;
}

// HKDF-SHA-256 (RFC 5869) of no more than one block.
std::string hkdf(std::string_view salt, std::string_view secret, const std::string& info,
                 std::size_t size) {
  return hmac(hmac(salt, secret), info + '\x01').substr(0, size);
}

std::string sealed(std::string_view key, std::string_view nonce, std::string_view plain) {
  const openssl::CipherContext cipher(EVP_CIPHER_CTX_new());
  std::string out(plain.size() + kTagSize, '\0');
  int size = 0, rest = 0;
  if (!cipher ||
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_128_gcm(), nullptr, raw(key), raw(nonce)) != 1 ||
      EVP_EncryptUpdate(cipher.get(), raw(out), &size, raw(plain),
                        static_cast<int>(plain.size())) != 1 ||
      EVP_EncryptFinal_ex(cipher.get(), raw(out) + size, &rest) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagSize, raw(out) + plain.size()) !=
          1) {
    throw std::runtime_error("OpenSSL does not do AES-GCM");
  }
  return out;
}

}  // namespace

std::optional<std::string> encrypted(const Receiver& to, std::string_view message,
                                     const P256& sender, const Salt& salt, std::size_t padded_to) {
  if (to.secret.size() != kSecretSize || message.size() > padded_to) return std::nullopt;
  const auto agreed = sender.agree(to.point);
  if (!agreed) return std::nullopt;
  using namespace std::string_literals;
  const std::string secret =
      hkdf(to.secret, *agreed, "WebPush: info\0"s + to.point + sender.point(), 32);
  const std::string salted(salt.begin(), salt.end());
  const std::string key = hkdf(salted, secret, "Content-Encoding: aes128gcm\0"s, kKeySize);
  const std::string nonce = hkdf(salted, secret, "Content-Encoding: nonce\0"s, kNonceSize);
  // One record, the last: its mark is 2, and zeros after it are padding.
  std::string plain(message);
  plain += '\x02';
  plain.resize(padded_to + 1, '\0');
  const std::string record = sealed(key, nonce, plain);
  std::string out = salted;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(kRecordSize >> shift & 0xff);
  out += static_cast<char>(sender.point().size());
  return out + sender.point() + record;
}

std::optional<std::string> encrypted(const Receiver& to, std::string_view message) {
  Salt salt{};
  randombytes_buf(salt.data(), salt.size());
  return encrypted(to, message, P256::make(), salt);
}

std::string authorization(const P256& key, const std::string& origin, const std::string& contact,
                          WallTime now) {
  const auto until =
      std::chrono::duration_cast<std::chrono::seconds>((now + kWordLife).time_since_epoch());
  const nlohmann::json claims = {{"aud", origin}, {"exp", until.count()}, {"sub", contact}};
  const std::string word =
      to_base64url(R"({"typ":"JWT","alg":"ES256"})") + "." + to_base64url(claims.dump());
  return "vapid t=" + word + "." + to_base64url(key.sign(word)) +
         ", k=" + to_base64url(key.point());
}

}  // namespace welcome::crm::webpush
