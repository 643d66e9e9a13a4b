// SPDX-License-Identifier: Apache-2.0
#include "crm/push/p256.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <stdexcept>
#include <utility>

#include "crm/freed.h"

namespace welcome::crm {
namespace {

constexpr std::size_t kPointSize = 65;
constexpr int kHalf = 32;  // of a signature
constexpr const char* kCurve = "P-256";

using Pkey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using Bignum = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;
using Group = std::unique_ptr<EC_GROUP, Freed<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Freed<EC_POINT_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using ParamList = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

[[noreturn]] void no_openssl() { throw std::runtime_error("OpenSSL does not do P-256"); }

// `scalar` nullptr: the public half alone. Nothing: the point is not on the curve.
Pkey key_of(std::string_view point, const BIGNUM* scalar) {
  const Builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, kCurve, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1 ||
      (scalar != nullptr &&
       OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar) != 1)) {
    no_openssl();
  }
  const ParamList params(OSSL_PARAM_BLD_to_param(builder.get()));
  const PkeyContext maker(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  if (!params || !maker || EVP_PKEY_fromdata_init(maker.get()) != 1) no_openssl();
  EVP_PKEY* out = nullptr;
  const int selection = scalar != nullptr ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
  if (EVP_PKEY_fromdata(maker.get(), &out, selection, params.get()) != 1) return nullptr;
  return Pkey(out);
}

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
  Pkey key;
};

P256::P256(std::unique_ptr<Key> key) : key_(std::move(key)), point_(point_of(key_->key.get())) {}
P256::P256(P256&&) noexcept = default;
P256& P256::operator=(P256&&) noexcept = default;
P256::~P256() = default;

P256 P256::make() {
  Pkey key(EVP_EC_gen(kCurve));
  if (!key) no_openssl();
  return P256(std::make_unique<Key>(Key{std::move(key)}));
}

std::optional<P256> P256::of(const P256Scalar& scalar) {
  const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const Bignum number(BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), nullptr));
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
  Pkey key = key_of(bytes, number.get());
  if (!key) return std::nullopt;
  return P256(std::make_unique<Key>(Key{std::move(key)}));
}

P256Scalar P256::scalar() const {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key_->key.get(), OSSL_PKEY_PARAM_PRIV_KEY, &raw) != 1) no_openssl();
  const Bignum number(raw);
  P256Scalar out{};
  if (BN_bn2binpad(number.get(), out.data(), static_cast<int>(out.size())) < 0) no_openssl();
  return out;
}

std::optional<std::string> P256::agree(std::string_view point) const {
  if (point.size() != kPointSize || point.front() != '\x04') return std::nullopt;
  const Pkey peer = key_of(point, nullptr);
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
  const Digest digest(EVP_MD_CTX_new());
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
