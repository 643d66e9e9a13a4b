#include "beacon/identity.h"

#include <openssl/crypto.h>

namespace welcome::beacon {

IdentityKey::~IdentityKey() { OPENSSL_cleanse(key.data(), key.size()); }

}  // namespace welcome::beacon
