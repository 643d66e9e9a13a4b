// The block interface of libcrypto is marked deprecated in favour of EVP. EVP costs about 650 bytes
// per key and 100 ns per key change, and tries of one address against every customer's key need
// neither modes nor providers: so this one file uses the block interface.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "beacon/aes.h"

#include <openssl/aes.h>
#include <openssl/crypto.h>

namespace welcome::beacon {

Aes128::Aes128(const Block& key) {
  static_assert(sizeof(AES_KEY) == sizeof(Schedule) && alignof(AES_KEY) <= alignof(Schedule));
  AES_set_encrypt_key(key.data(), 128, reinterpret_cast<AES_KEY*>(&schedule_));
}

Aes128::~Aes128() { OPENSSL_cleanse(&schedule_, sizeof(schedule_)); }

Block Aes128::encrypt(const Block& in) const {
  Block out;
  AES_encrypt(in.data(), out.data(), reinterpret_cast<const AES_KEY*>(&schedule_));
  return out;
}

}  // namespace welcome::beacon
