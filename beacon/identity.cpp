#include "beacon/identity.h"

#include <openssl/crypto.h>

namespace welcome::beacon {

std::string_view to_string(IdentityKind kind) {
  static constexpr std::array<std::string_view, 6> kNames{
      "eddystone_eid", "rotating_uuid", "irk", "ibeacon", "altbeacon", "eddystone_uid"};
  return kNames[static_cast<std::size_t>(kind)];
}

IdentityKey::~IdentityKey() { OPENSSL_cleanse(key.data(), key.size()); }

}  // namespace welcome::beacon
