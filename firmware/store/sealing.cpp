// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/sealing.h"

#include <cstring>
#include <sodium.h>
#include <stdexcept>

#include "core/hex.h"

namespace welcome::store {

namespace {

constexpr std::size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kNonce + kTag == kSealOverhead);
static_assert(Secret::size() == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

Secret derive(const Secret& master, std::uint64_t number) {
  Secret key;
  crypto_kdf_derive_from_key(key.data(), Secret::size(), number, "welcomed", master.data());
  return key;
}

CustomerHash keyed_hash(const Secret& key, char domain, std::string_view text) {
  crypto_generichash_state state;
  CustomerHash out{};
  crypto_generichash_init(&state, key.data(), Secret::size(), out.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&domain), 1);
  crypto_generichash_update(&state, bytes(text), text.size());
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(out.data()), out.size());
  return out;
}

std::string wrap_label(std::string_view customer_hash) {
  std::string label = "key";
  label.append(customer_hash);
  return label;
}

}  // namespace

Secret::~Secret() { sodium_memzero(bytes_.data(), bytes_.size()); }

Secret Secret::random() {
  Secret secret;
  randombytes_buf(secret.data(), size());
  return secret;
}

Secret Secret::from(std::span<const std::uint8_t, 32> from) {
  Secret secret;
  std::memcpy(secret.data(), from.data(), size());
  return secret;
}

Sealer::Sealer(std::span<const std::uint8_t, 32> box_key) {
  if (sodium_init() < 0) throw std::runtime_error("store: libsodium does not start");
  const Secret master = Secret::from(box_key);
  wrap_ = derive(master, 1);
  hash_ = derive(master, 2);
  box_data_ = derive(master, 3);
  keep_ = derive(master, 5);
  key_check_ = to_hex(view(keyed_hash(hash_, 'k', "key check")));
  const Secret seed = derive(master, 4);
  crypto_sign_seed_keypair(sign_public_.data(), sign_secret_.data(), seed.data());
  randombytes_buf(nonce_prefix_.data(), nonce_prefix_.size());
}

Sealer::~Sealer() { sodium_memzero(sign_secret_.data(), sign_secret_.size()); }

std::string Sealer::seal(const Secret& key, std::string_view label, std::string_view plain) const {
  std::string out(kNonce + plain.size() + kTag, '\0');
  // Random per run and counted within it: never twice, without a system call for each.
  std::memcpy(out.data(), nonce_prefix_.data(), nonce_prefix_.size());
  const std::uint64_t count = nonce_counter_++;
  std::memcpy(out.data() + nonce_prefix_.size(), &count, sizeof count);
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes(out) + kNonce, nullptr, bytes(plain),
                                             plain.size(), bytes(label), label.size(), nullptr,
                                             bytes(out), key.data());
  return out;
}

std::optional<std::string> Sealer::open(const Secret& key, std::string_view label,
                                        std::string_view sealed) {
  if (sealed.size() < kSealOverhead) return std::nullopt;
  std::string plain(sealed.size() - kSealOverhead, '\0');
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          bytes(plain), nullptr, nullptr, bytes(sealed) + kNonce, sealed.size() - kNonce,
          bytes(label), label.size(), bytes(sealed), key.data()) != 0)
    return std::nullopt;
  return plain;
}

std::string Sealer::wrap(const Secret& customer_key, std::string_view customer_hash) const {
  return seal(wrap_, wrap_label(customer_hash), customer_key.view());
}

std::optional<Secret> Sealer::unwrap(std::string_view wrapped,
                                     std::string_view customer_hash) const {
  auto opened = open(wrap_, wrap_label(customer_hash), wrapped);
  if (!opened || opened->size() != Secret::size()) return std::nullopt;
  std::string& plain = *opened;
  Secret key;
  std::memcpy(key.data(), plain.data(), Secret::size());
  sodium_memzero(plain.data(), plain.size());
  return key;
}

CustomerHash Sealer::hash(const CustomerId& customer) const {
  return keyed_hash(hash_, 'c', customer.str());
}

CustomerHash Sealer::item_hash(std::uint8_t collection, std::string_view key) const {
  return keyed_hash(hash_, static_cast<char>('0' + collection), key);
}

std::string Sealer::sign(std::string_view message) const {
  std::string signature(crypto_sign_BYTES, '\0');
  crypto_sign_detached(bytes(signature), nullptr, bytes(message), message.size(),
                       sign_secret_.data());
  return signature;
}

bool Sealer::verify(std::string_view message, std::string_view signature,
                    std::string_view public_key) {
  return signature.size() == crypto_sign_BYTES && public_key.size() == crypto_sign_PUBLICKEYBYTES &&
         crypto_sign_verify_detached(bytes(signature), bytes(message), message.size(),
                                     bytes(public_key)) == 0;
}

std::string_view Sealer::public_key() const {
  return {reinterpret_cast<const char*>(sign_public_.data()), sign_public_.size()};
}

std::array<std::uint8_t, 32> Sealer::signing_seed() const {
  std::array<std::uint8_t, 32> seed{};
  crypto_sign_ed25519_sk_to_seed(seed.data(), sign_secret_.data());
  return seed;
}

std::string pack(std::initializer_list<std::string_view> fields) {
  std::size_t total = 0;
  for (auto field : fields) total += 4 + field.size();
  std::string out;
  out.reserve(total);
  for (auto field : fields) {
    const auto size = static_cast<std::uint32_t>(field.size());
    for (unsigned shift = 0; shift < 32; shift += 8)
      out.push_back(static_cast<char>((size >> shift) & 0xff));
    out.append(field);
  }
  return out;
}

std::optional<std::vector<std::string_view>> unpack(std::string_view packed, std::size_t count) {
  std::vector<std::string_view> fields;
  fields.reserve(count);
  while (fields.size() < count) {
    if (packed.size() < 4) return std::nullopt;
    std::uint32_t size = 0;
    for (unsigned i = 0; i < 4; ++i)
      size |= std::uint32_t{static_cast<unsigned char>(packed[i])} << (8 * i);
    packed.remove_prefix(4);
    if (packed.size() < size) return std::nullopt;
    fields.push_back(packed.substr(0, size));
    packed.remove_prefix(size);
  }
  if (!packed.empty()) return std::nullopt;
  return fields;
}

std::string blake2b(std::string_view text) {
  std::string out(32, '\0');
  crypto_generichash(bytes(out), out.size(), bytes(text), text.size(), nullptr, 0);
  return out;
}

}  // namespace welcome::store
