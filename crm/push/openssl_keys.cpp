// SPDX-License-Identifier: Apache-2.0
#include "crm/push/openssl_keys.h"

#include <openssl/core_names.h>

namespace welcome::crm::openssl {

Pkey made_of(const char* kind, const ParamBuilder& builder, int selection) {
  const std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>> params(
      OSSL_PARAM_BLD_to_param(builder.get()));
  const PkeyContext maker(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* out = nullptr;
  if (!params || !maker || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
      EVP_PKEY_fromdata(maker.get(), &out, selection, params.get()) != 1) {
    return nullptr;
  }
  return Pkey(out);
}

Pkey p256_key(std::string_view point, const BIGNUM* scalar) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1 ||
      (scalar != nullptr &&
       OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar) != 1)) {
    return nullptr;
  }
  return made_of("EC", builder, scalar == nullptr ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR);
}

}  // namespace welcome::crm::openssl
