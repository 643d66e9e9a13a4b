// SPDX-License-Identifier: Apache-2.0
#include "beacon/presence_proof.h"

#include <algorithm>
#include <openssl/crypto.h>

namespace welcome::beacon {

bool proves_presence(const BoxAdverts::RotatingEid& box, const Eid& eid, WallTime heard_at,
                     const Now& now, std::chrono::seconds patience) {
  if (!now.wall_trusted || heard_at > now.wall + patience || heard_at < now.wall - patience) {
    return false;
  }
  const auto beacon_time = [&](WallTime at) {
    return std::chrono::floor<std::chrono::seconds>(at - box.clock_zero).count();
  };
  // Every window that the box was in between then and now, and no other.
  const std::int64_t length = std::int64_t{1} << box.rotation_exponent;
  const std::int64_t first = beacon_time(std::min(heard_at, now.wall) - patience) / length;
  const std::int64_t last = beacon_time(now.wall) / length;
  bool proved = false;
  for (std::int64_t w = std::max<std::int64_t>(first, 0); w <= last; ++w) {
    const Eid sent =
        eddystone_eid(box.key, box.rotation_exponent, static_cast<std::uint32_t>(w * length));
    proved |= CRYPTO_memcmp(sent.data(), eid.data(), eid.size()) == 0;
  }
  return proved;
}

}  // namespace welcome::beacon
