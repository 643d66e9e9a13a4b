// SPDX-License-Identifier: Apache-2.0
#include "contract/signing.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <optional>
#include <sodium.h>
#include <span>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "contract/canonical.h"
#include "contract/json_text.h"
#include "core/base64.h"
#include "core/hex.h"

namespace welcome::contract {

namespace {

using nlohmann::json;

constexpr std::int64_t kMaxExact = (std::int64_t{1} << 53) - 1;  // what every JSON library can hold
constexpr std::size_t kLong = std::size_t{16} * 1024;            // bytes, from which on it pays

std::u16string utf16(std::string_view text) {
  std::u16string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k) {
      point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
    }
    i += length;
    if (point >= 0x10000) {
      point -= 0x10000;
      out += static_cast<char16_t>(0xD800 + (point >> 10));
      out += static_cast<char16_t>(0xDC00 + (point & 0x3FF));
    } else {
      out += static_cast<char16_t>(point);
    }
  }
  return out;
}

Result<void> write(const json& value, std::string& out) {
  switch (value.type()) {
    case json::value_t::object: {
      std::vector<std::pair<std::u16string, json::const_iterator>> members;
      for (auto it = value.begin(); it != value.end(); ++it) {
        members.emplace_back(utf16(it.key()), it);
      }
      std::sort(members.begin(), members.end(),
                [](const auto& a, const auto& b) { return a.first < b.first; });
      out += '{';
      bool first = true;
      for (const auto& [name, member] : members) {
        if (!first) out += ',';
        first = false;
        out += json(member.key()).dump();
        out += ':';
        if (auto written = write(member.value(), out); !written) return written;
      }
      out += '}';
      return {};
    }
    case json::value_t::array: {
      out += '[';
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out += ',';
        if (auto written = write(value[i], out); !written) return written;
      }
      out += ']';
      return {};
    }
    case json::value_t::number_unsigned:
      if (value.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxExact)) {
        return fail(ErrorCode::malformed, "canonical form: a number of more than 53 bits");
      }
      break;
    case json::value_t::number_integer:
      if (value.get<std::int64_t>() < -kMaxExact) {
        return fail(ErrorCode::malformed, "canonical form: a number of more than 53 bits");
      }
      break;
    case json::value_t::number_float:
      return fail(ErrorCode::malformed, "canonical form: a number that is not an integer");
    default:
      break;
  }
  out += value.dump();
  return {};
}

template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> bytes_of(std::string_view text) {
  std::array<std::uint8_t, N> bytes{};
  if (!from_base64(text, bytes)) return std::nullopt;
  return bytes;
}

}  // namespace

std::string public_key_text(const Ed25519Public& key) { return to_base64(key); }

Result<Ed25519Public> public_key_from_text(std::string_view text) {
  const auto bytes = bytes_of<32>(text);
  if (!bytes) return fail(ErrorCode::malformed, "a public key is the base64 of 32 bytes");
  return *bytes;
}

std::string fingerprint(const Ed25519Public& key) {
  std::array<unsigned char, 32> hash{};
  crypto_generichash(hash.data(), hash.size(), key.data(), key.size(), nullptr, 0);
  std::string out = to_hex(std::span(hash).first(8));
  for (const std::size_t at : {12, 8, 4}) out.insert(at, 1, '-');
  return out;
}

Result<std::string> canonical(const json& value) {
  std::string out;
  if (auto written = write(value, out); !written) return tl::unexpected(written.error());
  return out;
}

Result<std::string> canonical_json(std::string_view text) {
  const auto value = parse_json(text);
  if (!value) return tl::unexpected(value.error());
  return canonical(*value);
}

// Nearly all that it costs to sign what is long is its hash, twice: OpenSSL's SHA-512 takes two
// thirds of the time of libsodium's, and its curve twice as long. The signatures are the same.
class Signer::ForLong {
 public:
  explicit ForLong(const std::array<std::uint8_t, 32>& seed)
      : key_(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size())) {}

  void sign(std::string_view text, std::array<unsigned char, crypto_sign_BYTES>& signature) const {
    const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
    std::size_t size = signature.size();
    if (!key_ || !context ||
        EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), signature.data(), &size,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size()) != 1) {
      throw std::runtime_error("OpenSSL has no Ed25519");
    }
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* of) const { EVP_MD_CTX_free(of); }
    void operator()(EVP_PKEY* of) const { EVP_PKEY_free(of); }  // and wipes it
  };
  std::unique_ptr<EVP_PKEY, Free> key_;
};

Signer::Signer(std::string key_id, const std::array<std::uint8_t, 32>& seed)
    : key_id_(std::move(key_id)), for_long_(std::make_unique<const ForLong>(seed)) {
  crypto_sign_seed_keypair(public_.data(), secret_.data(), seed.data());
}

Signer::~Signer() { sodium_memzero(secret_.data(), secret_.size()); }

std::array<std::uint8_t, 32> Signer::new_seed() {
  std::array<std::uint8_t, 32> seed{};
  randombytes_buf(seed.data(), seed.size());
  return seed;
}

Result<std::string> Signer::sign(std::string_view text) const {
  auto value = parse_json(text);
  if (!value) return tl::unexpected(value.error());
  if (!value->is_object()) return fail(ErrorCode::malformed, "only an object can be signed");
  value->erase("sig");
  const auto form = canonical(*value);
  if (!form) return tl::unexpected(form.error());
  (*value)["sig"] = {{"key", key_id_}, {"value", sign_bytes(*form)}};
  return value->dump();
}

std::string Signer::sign_bytes(std::string_view message) const {
  std::array<unsigned char, crypto_sign_BYTES> signature{};
  if (message.size() >= kLong) {
    for_long_->sign(message, signature);
  } else {
    crypto_sign_detached(signature.data(), nullptr,
                         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                         secret_.data());
  }
  return to_base64(signature);
}

void KeyRing::pin(std::string key_id, const Ed25519Public& key) { keys_[std::move(key_id)] = key; }

void KeyRing::drop(std::string_view key_id) {
  const auto found = keys_.find(key_id);
  if (found != keys_.end()) keys_.erase(found);
}

bool KeyRing::includes(const KeyRing& other) const {
  return std::includes(keys_.begin(), keys_.end(), other.keys_.begin(), other.keys_.end());
}

Result<void> verify_value(const KeyRing& keys, const json& object) {
  const auto sig = object.find("sig");
  if (sig == object.end() || !sig->is_object()) return fail(ErrorCode::refused, "not signed");
  const auto key = sig->find("key");
  const auto value = sig->find("value");
  if (key == sig->end() || value == sig->end() || !key->is_string() || !value->is_string()) {
    return fail(ErrorCode::malformed, "sig: needs key and value");
  }
  json unsigned_part = object;
  unsigned_part.erase("sig");
  const auto form = canonical(unsigned_part);
  if (!form) return tl::unexpected(form.error());
  return keys.verify_bytes(*form, key->get_ref<const std::string&>(),
                           value->get_ref<const std::string&>());
}

Result<void> KeyRing::verify(std::string_view text) const {
  const auto value = parse_json(text);
  if (!value) return tl::unexpected(value.error());
  if (!value->is_object()) return fail(ErrorCode::malformed, "only an object can be signed");
  return verify_value(*this, *value);
}

Result<void> KeyRing::verify_bytes(std::string_view message, std::string_view key_id,
                                   std::string_view signature) const {
  const auto key = keys_.find(key_id);
  if (key == keys_.end()) return fail(ErrorCode::refused, "signed with a key that is not pinned");
  const auto bytes = bytes_of<crypto_sign_BYTES>(signature);
  if (!bytes) return fail(ErrorCode::malformed, "sig: not base64 of 64 bytes");
  if (crypto_sign_verify_detached(bytes->data(),
                                  reinterpret_cast<const unsigned char*>(message.data()),
                                  message.size(), key->second.data()) != 0) {
    return fail(ErrorCode::refused, "the signature is wrong");
  }
  return {};
}

Result<KeyRing> KeyRing::parse(std::string_view text) {
  KeyRing ring;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    line.resize(std::min(line.find('#'), line.size()));
    std::istringstream words(line);
    std::string id, key, more;
    if (!(words >> id)) continue;
    const auto bytes = words >> key && !(words >> more) ? bytes_of<32>(key) : std::nullopt;
    if (!bytes || id.size() > 64) {
      return fail(ErrorCode::malformed, "keys, line " + std::to_string(number) +
                                            ": expected an id and the base64 of 32 bytes");
    }
    ring.pin(id, *bytes);
  }
  return ring;
}

std::string KeyRing::to_text() const {
  std::string out;
  for (const auto& [id, key] : keys_) {
    out.append(id).append(" ").append(public_key_text(key)).append("\n");
  }
  return out;
}

}  // namespace welcome::contract
