// SPDX-License-Identifier: Apache-2.0
#include "crm/door/cose.h"

#include <memory>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <optional>
#include <sodium.h>
#include <utility>

#include "crm/door/cbor.h"
#include "crm/push/openssl_keys.h"

namespace welcome::crm {
namespace {

constexpr std::size_t kPointSize = 32;
constexpr std::size_t kLeastModulus = 256, kMostModulus = 512;  // bytes
constexpr std::string_view kExponent("\x01\x00\x01", 3);        // everybody's
constexpr std::size_t kMostPairs = 5;

using namespace openssl;

// Nothing: the point is not on the curve.
Pkey p256(const std::string& x, const std::string& y) { return p256_key('\x04' + x + y); }

Pkey rsa(const std::string& modulus, const std::string& exponent) {
  const Number n(BN_bin2bn(raw(modulus), static_cast<int>(modulus.size()), nullptr));
  const Number e(BN_bin2bn(raw(exponent), static_cast<int>(exponent.size()), nullptr));
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return made_of("RSA", builder, EVP_PKEY_PUBLIC_KEY);
}

// With SHA-256, in the form of the kind of key: DER of two numbers, PKCS#1 v1.5.
bool fits(const Pkey& key, std::string_view message, std::string_view signature) {
  const DigestContext checker(EVP_MD_CTX_new());
  return key && checker &&
         EVP_DigestVerifyInit_ex(checker.get(), nullptr, "SHA256", nullptr, nullptr, key.get(),
                                 nullptr) == 1 &&
         EVP_DigestVerify(checker.get(), raw(signature), signature.size(), raw(message),
                          message.size()) == 1;
}

// The pairs of a key (RFC 9052, 7; RFC 9053, 7; RFC 8230, 4). What -1 means depends on the type.
struct Pairs {
  std::optional<std::int64_t> type, algorithm, curve;
  std::optional<std::string> x, y, modulus;

  // False: no such pair, or it is there twice.
  bool take(std::int64_t label, Cbor& from) {
    switch (label) {
      case 1:
        return once(type, from.integer());
      case 3:
        return once(algorithm, from.integer());
      case -1:
        return type == 3 ? once(modulus, from.bytes()) : once(curve, from.integer());
      case -2:
        return once(x, from.bytes());
      case -3:
        return once(y, from.bytes());
      default:
        return false;
    }
  }

 private:
  template <class T, class U>
  static bool once(std::optional<T>& to, const std::optional<U>& found) {
    if (to || !found) return false;
    to = T(*found);
    return true;
  }
};

bool is_point(const std::optional<std::string>& part) { return part && part->size() == kPointSize; }

bool is_modulus(const std::string& n) {
  return n.size() >= kLeastModulus && n.size() <= kMostModulus && n.front() != 0 &&
         (static_cast<unsigned char>(n.back()) & 1U) != 0;
}

}  // namespace

Result<CoseKey> CoseKey::read(Cbor& from) {
  const auto no_key = [] { return fail(ErrorCode::malformed, "this is no public key"); };
  const auto count = from.map();
  if (!count || *count > kMostPairs) return no_key();
  Pairs pairs;
  for (std::size_t i = 0; i < *count; ++i) {
    const auto label = from.integer();
    if (!label || !pairs.take(*label, from)) return no_key();
  }
  CoseKey out;
  if (pairs.algorithm == -7) {
    if (pairs.type != 2 || pairs.curve != 1 || !is_point(pairs.x) || !is_point(pairs.y)) {
      return no_key();
    }
    out = CoseKey(Algorithm::es256, std::move(*pairs.x), std::move(*pairs.y));
    if (!p256(out.x_, out.y_)) return no_key();
  } else if (pairs.algorithm == -8) {
    if (pairs.type != 1 || pairs.curve != 6 || !is_point(pairs.x) || pairs.y) return no_key();
    out = CoseKey(Algorithm::eddsa, std::move(*pairs.x), {});
  } else if (pairs.algorithm == -257) {
    if (!pairs.modulus || !is_modulus(*pairs.modulus) || pairs.x != kExponent || pairs.y) {
      return no_key();
    }
    out = CoseKey(Algorithm::rs256, std::move(*pairs.modulus), std::move(*pairs.x));
    if (!rsa(out.x_, out.y_)) return no_key();
  } else {
    return fail(ErrorCode::refused, "a key of a kind that nobody asked for");
  }
  return out;
}

Result<CoseKey> CoseKey::read(std::string_view bytes) {
  Cbor from(bytes);
  auto out = read(from);
  if (out && !from.done()) return fail(ErrorCode::malformed, "this is more than a public key");
  return out;
}

bool CoseKey::has_signed(std::string_view message, std::string_view signature) const {
  switch (algorithm_) {
    case Algorithm::es256:
      return fits(p256(x_, y_), message, signature);
    case Algorithm::rs256:
      return fits(rsa(x_, y_), message, signature);
    case Algorithm::eddsa:
      break;
  }
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(raw(signature), raw(message), message.size(), raw(x_)) == 0;
}

}  // namespace welcome::crm
