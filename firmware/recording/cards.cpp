// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/cards.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sodium.h>

#include "core/base64.h"
#include "core/hex.h"

namespace welcome::recording {

namespace {

constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* raw(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

CardKey new_card_key() {
  CardKey key;
  std::array<std::uint8_t, 8> id{};
  randombytes_buf(id.data(), id.size());
  key.id = to_hex(id);
  randombytes_buf(key.secret.data(), key.secret.size());
  return key;
}

Sealed seal(const CardKey& key, std::string_view plain) {
  std::string out(kNonce + plain.size() + kTag, '\0');
  randombytes_buf(raw(out), kNonce);
  crypto_aead_xchacha20poly1305_ietf_encrypt(raw(out) + kNonce, nullptr, raw(plain), plain.size(),
                                             raw(key.id), key.id.size(), nullptr, raw(out),
                                             key.secret.data());
  return {to_base64(out)};
}

std::optional<std::string> open(const CardKey& key, const Sealed& sealed) {
  const auto bytes = from_base64(sealed.text);
  if (!bytes || bytes->size() < kNonce + kTag) return std::nullopt;
  std::string plain(bytes->size() - kNonce - kTag, '\0');
  const auto* in = raw(*bytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(raw(plain), nullptr, nullptr, in + kNonce,
                                                 bytes->size() - kNonce, raw(key.id), key.id.size(),
                                                 in, key.secret.data()) != 0) {
    return std::nullopt;
  }
  return plain;
}

std::string encode(const StoredKey& stored) {
  const std::string_view secret(reinterpret_cast<const char*>(stored.key.secret.data()),
                                stored.key.secret.size());
  return nlohmann::json{{"key", to_base64(secret)}, {"day", stored.day}}.dump();
}

std::optional<StoredKey> decode_stored_key(const std::string& id, std::string_view text) {
  const auto j = nlohmann::json::parse(text, nullptr, false);
  const auto word = [&](const char* name) {
    const auto found = j.is_object() ? j.find(name) : j.end();
    return found != j.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto secret = from_base64(word("key"));
  StoredKey stored;
  stored.key.id = id;
  stored.day = word("day");
  if (!secret || secret->size() != stored.key.secret.size()) return std::nullopt;
  std::copy(secret->begin(), secret->end(), stored.key.secret.begin());
  return stored;
}

}  // namespace welcome::recording
