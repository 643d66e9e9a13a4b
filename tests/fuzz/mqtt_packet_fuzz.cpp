// SPDX-License-Identifier: Apache-2.0
// What a broker sends: any bytes are packets or an error, and never read past their end.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mqtt/packet.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kMaxPacket = 64 * 1024;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (true) {
    const auto taken = welcome::mqtt::take(rest, kMaxPacket);
    if (!taken || !*taken) return 0;
    if ((*taken)->bytes == 0 || (*taken)->bytes > rest.size()) std::abort();
    rest.remove_prefix((*taken)->bytes);
  }
}
