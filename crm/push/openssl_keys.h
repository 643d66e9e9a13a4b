// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keys as OpenSSL has them, owned. For sources that call OpenSSL themselves; nobody else's header
// includes this.

#include <memory>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <string_view>

namespace welcome::crm::openssl {

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* of) const {
    kFree(of);
  }
};
using Pkey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Freed<EVP_CIPHER_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_clear_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;

inline const unsigned char* raw(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// Of what the builder has. Nothing: that is no key. `selection`: EVP_PKEY_PUBLIC_KEY or _KEYPAIR.
Pkey made_of(const char* kind, const ParamBuilder& builder, int selection);
// Of a point of 65 bytes, 04 before x and y, and of the scalar where there is one.
Pkey p256_key(std::string_view point, const BIGNUM* scalar = nullptr);

}  // namespace welcome::crm::openssl
