// SPDX-License-Identifier: Apache-2.0
// A controller that says anything at any time to HciHost: answers to the command that waits, right,
// refused or of any other, reports, errors, bytes of any size, and time. Whatever comes, what the
// host sends is a whole command, it never has two of them out, and it ends in hearing or in
// failing.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "beacon/hci_host.h"

namespace {

using namespace welcome;
using namespace welcome::beacon;

HciHostConfig config_of(std::uint8_t flags) {
  HciHostConfig config;
  config.coded_phy = (flags & 1U) != 0;
  if ((flags & 2U) != 0) config.adverts.ibeacon = BoxAdverts::IBeaconId{{}, 1, 2, -59};
  if ((flags & 4U) != 0) config.adverts.eid = BoxAdverts::RotatingEid{{}, 7, {}, -18};
  if ((flags & 8U) != 0) config.adverts.tx_power_dbm = std::int8_t{-4};
  config.resets_before_failure = (flags >> 4U) & 3U;
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::uint16_t opcode = 0;
  unsigned sent_at_once = 0;
  HciHost host(config_of(data[0]), [&](std::span<const std::uint8_t> packet) {
    if (packet.size() < 4 || packet[0] != 0x01 || packet[3] != packet.size() - 4) __builtin_trap();
    opcode = static_cast<std::uint16_t>(packet[1] | (packet[2] << 8U));
    ++sent_at_once;
  });
  Now now{MonoTime{std::chrono::hours{1}}, WallTime{std::chrono::hours{24}}, true};
  host.start(now);

  std::vector<AdvertReport> reports;
  std::vector<std::uint8_t> packet;
  std::span<const std::uint8_t> rest(data + 1, size - 1);
  const auto take = [&](std::size_t most) {
    const std::size_t length = std::min(most, rest.size());
    const auto taken = rest.first(length);
    rest = rest.subspan(length);
    return taken;
  };
  const auto event = [&](std::uint8_t code, std::initializer_list<int> head,
                         std::span<const std::uint8_t> tail) {
    packet.assign({0x04, code, static_cast<std::uint8_t>(head.size() + tail.size())});
    for (const int byte : head) packet.push_back(static_cast<std::uint8_t>(byte));
    packet.insert(packet.end(), tail.begin(), tail.end());
    host.receive(packet, now, reports);
  };
  while (rest.size() >= 2) {
    const std::uint8_t what = rest[0];
    const std::uint8_t value = rest[1];
    rest = rest.subspan(2);
    sent_at_once = 0;
    const auto state_before = host.state();
    switch (what % 8) {
      case 0:  // a right answer
        event(0x0E, {1, opcode & 0xFF, opcode >> 8, 0}, take(value % 72));
        break;
      case 1:  // a refusal, or as many credits as it likes
        event(0x0E, {value >> 4, opcode & 0xFF, opcode >> 8, value & 15}, {});
        break;
      case 2:  // a status
        event(0x0F, {value & 1, value >> 4, opcode & 0xFF, opcode >> 8}, {});
        break;
      case 3:  // an answer to anything
        event(0x0E, {}, take(value % 16));
        break;
      case 4:
        event(0x3E, {}, take(value));
        break;
      case 5:
        event(0x10, {value}, {});
        break;
      case 6:
        now.mono += std::chrono::milliseconds{value * value};
        now.wall += std::chrono::milliseconds{value * value};
        host.tick(now);
        break;
      default: {
        const auto any = take(value);
        packet.assign(any.begin(), any.end());
        host.receive(packet, now, reports);
      }
    }
    // One command is out at a time; a reset may follow the one that made it necessary.
    if (sent_at_once > 2) __builtin_trap();
    if (state_before == HciState::failed) {
      if (host.state() != HciState::failed || sent_at_once != 0) __builtin_trap();
      host.start(now);
    }
    if (host.state() == HciState::idle) __builtin_trap();
    if (!(host.memory().expected_per_second >= 0.0)) __builtin_trap();
    reports.clear();
  }
  return 0;
}
