// SPDX-License-Identifier: Apache-2.0
#include "crm/push/p256.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <stdexcept>
#include <utility>

#include "crm/push/openssl_keys.h"

namespace welcome::crm {
namespace {

constexpr std::size_t kPointSize = 65;
constexpr int kHalf = 32;  // of a signature

using namespace openssl;
using Group = std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Freed<EC_POINT_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

[[noreturn]] void no_openssl() { throw std::runtime_error("OpenSSL does not do P-256"); }

std::string point_of(EVP_PKEY* key) {
  std::string out(kPointSize, '\0');
  std::size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY,
                                      reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                      &size) != 1 ||
      size != kPointSize) {
    no_openssl();
  }
  return out;
}

}  // namespace

struct P256::Key {
  openssl::Pkey key;
};

P256::P256(std::unique_ptr<Key> key) : key_(std::move(key)), point_(point_of(key_->key.get())) {}
P256::P256(P256&&) noexcept = default;
P256& P256::operator=(P256&&) noexcept = default;
P256::~P256() = default;

P256 P256::make() {
  Pkey key(EVP_EC_gen("P-256"));
  if (!key) no_openssl();
  return P256(std::make_unique<Key>(Key{std::move(key)}));
}

std::optional<P256> P256::of(const P256Scalar& scalar) {
  const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const Number number(BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), nullptr));
  if (!group || !number) no_openssl();
  if (BN_is_zero(number.get()) || BN_cmp(number.get(), EC_GROUP_get0_order(group.get())) >= 0) {
    return std::nullopt;
  }
  const Point point(EC_POINT_new(group.get()));
  std::string bytes(kPointSize, '\0');
  if (!point ||
      EC_POINT_mul(group.get(), point.get(), number.get(), nullptr, nullptr, nullptr) != 1 ||
      EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                         reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                         nullptr) != bytes.size()) {
    no_openssl();
  }
  Pkey key = p256_key(bytes, number.get());
  if (!key) return std::nullopt;
  return P256(std::make_unique<Key>(Key{std::move(key)}));
}

P256Scalar P256::scalar() const {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key_->key.get(), OSSL_PKEY_PARAM_PRIV_KEY, &raw) != 1) no_openssl();
  const Number number(raw);
  P256Scalar out{};
  if (BN_bn2binpad(number.get(), out.data(), static_cast<int>(out.size())) < 0) no_openssl();
  return out;
}

std::optional<std::string> P256::agree(std::string_view point) const {
  if (point.size() != kPointSize || point.front() != '\x04') return std::nullopt;
  const Pkey peer = p256_key(point);
  if (!peer) return std::nullopt;
  const PkeyContext context(EVP_PKEY_CTX_new(key_->key.get(), nullptr));
  std::string out(kHalf, '\0');
  std::size_t size = out.size();
  if (!context || EVP_PKEY_derive_init(context.get()) != 1) no_openssl();
  if (EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1 ||
      EVP_PKEY_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size) != 1 ||
      size != out.size()) {
    return std::nullopt;
  }
  return out;
}

std::string P256::sign(std::string_view message) const {
  const DigestContext digest(EVP_MD_CTX_new());
  std::string der(80, '\0');
  std::size_t size = der.size();
  if (!digest ||
      EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_->key.get()) != 1 ||
      EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(der.data()), &size,
                     reinterpret_cast<const unsigned char*>(message.data()), message.size()) != 1) {
    no_openssl();
  }
  const auto* begin = reinterpret_cast<const unsigned char*>(der.data());
  const Signature signature(d2i_ECDSA_SIG(nullptr, &begin, static_cast<long>(size)));
  std::string out(2 * kHalf, '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), to, kHalf) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), to + kHalf, kHalf) < 0) {
    no_openssl();
  }
  return out;
}

}  // namespace welcome::crm
