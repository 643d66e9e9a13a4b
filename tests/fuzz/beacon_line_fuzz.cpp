// SPDX-License-Identifier: Apache-2.0
// A serial line that says anything: the first byte tells how it is split, the rest is what comes.
// Whatever it was, what comes out are whole events, and after an idle moment the next event is
// heard.

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "beacon/h4_framer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  welcome::beacon::H4Framer framer;
  std::vector<std::vector<std::uint8_t>> packets;
  const std::size_t piece = 1 + data[0] % 64;
  std::span<const std::uint8_t> rest(data + 1, size - 1);
  while (!rest.empty()) {
    const std::size_t length = std::min(piece, rest.size());
    framer.feed(rest.first(length), packets);
    rest = rest.subspan(length);
  }
  framer.idle(packets);
  constexpr std::array<std::uint8_t, 7> kAnswer{0x04, 0x0E, 0x04, 0x01, 0x03, 0x0C, 0x00};
  framer.feed(kAnswer, packets);
  for (const auto& packet : packets) {
    if (packet.size() < 3 || packet[0] != 0x04 || packet.size() != 3U + packet[2]) __builtin_trap();
  }
  // After a loss a byte may have come out in several packets, each of which looked whole at its
  // time. But each begins at a place of its own.
  if (packets.size() > size + kAnswer.size()) __builtin_trap();
  if (packets.empty() || !std::ranges::equal(packets.back(), kAnswer)) __builtin_trap();
  if (framer.skipped() > size) __builtin_trap();
  return 0;
}
