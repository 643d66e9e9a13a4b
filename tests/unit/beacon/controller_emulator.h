// SPDX-License-Identifier: Apache-2.0
#pragma once
// A Bluetooth controller that answers as the Core Specification says, and, when told, refuses,
// keeps silent, answers late, resets or goes deaf. Packets in, packets out; no clock.

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "beacon/advert.h"

namespace welcome::beacon::testing {

class ControllerEmulator {
 public:
  // What it can do and how it misbehaves.
  bool extended = true;
  bool silent = false;                           // answers nothing
  std::map<std::uint16_t, std::uint8_t> refuse;  // opcode → status
  std::set<std::uint16_t> swallow;               // takes the command and never answers
  std::set<std::uint16_t> late;                  // answers when told to, by answer_late()
  bool takes_no_more = false;                    // answers, and says that it takes no more commands
  bool deaf = false;                             // scans and hears nothing
  bool deaf_extended = false;                    // … by the extended commands
  bool deaf_legacy = false;                      // … by the others
  bool knows_extended_mask = true;               // of LE events: else bit 12 is refused
  bool beginnings_alone = false;                 // extended reports never come to their end

  // What it was told.
  bool scanning = false;
  bool scans_extended = false;
  bool filters_duplicates = false;
  std::uint8_t scan_type = 0xFF;
  bool advertising = false;
  std::vector<std::uint8_t> scan_parameters;
  std::vector<std::uint8_t> advert_parameters;
  std::vector<std::uint8_t> advert_data;
  std::vector<std::vector<std::uint8_t>> advert_history;
  std::vector<std::uint16_t> commands;
  int resets = 0;
  int legacy_scans = 0;

  std::deque<std::vector<std::uint8_t>> to_host;

  void take(std::span<const std::uint8_t> packet) {
    if (silent || packet.size() < 4 || packet[0] != 0x01) return;
    const auto opcode = static_cast<std::uint16_t>(packet[1] | (packet[2] << 8U));
    const auto p = packet.subspan(4);
    commands.push_back(opcode);
    if (swallow.contains(opcode)) return;
    if (const auto it = refuse.find(opcode); it != refuse.end()) {
      complete(opcode, {it->second});
      return;
    }
    const bool legacy_command = opcode == 0x200B || opcode == 0x200C || opcode == 0x2006 ||
                                opcode == 0x2008 || opcode == 0x200A;
    if (!extended && opcode >= 0x2035) return complete(opcode, {0x01});  // unknown command
    // Legacy and extended commands must not be mixed (Vol 4, Part E, 3.1.1).
    if (legacy_command && used_extended_) return complete(opcode, {0x0C});
    if (opcode >= 0x2035) used_extended_ = true;
    std::vector<std::uint8_t> answer{0};
    switch (opcode) {
      case 0x0C03:
        ++resets;
        scanning = advertising = scans_extended = used_extended_ = false;
        break;
      // What a kernel asks before it hands the adapter out.
      case 0x1001:  // versions
      case 0x1003:  // LMP features
        answer.resize(9, 0);
        if (opcode == 0x1001) answer[1] = answer[4] = 0x0C;  // 5.3
        if (opcode == 0x1003) answer[5] = 0x60;              // LE, and nothing but LE
        break;
      case 0x1009:  // its address
        answer.insert(answer.end(), {0x01, 0xEE, 0x0D, 0xB0, 0x55, 0x00});
        break;
      case 0x2002:  // ACL buffers
        answer.insert(answer.end(), {251, 0, 8});
        break;
      case 0x201C:  // state combinations
        answer.resize(9, 0xFF);
        break;
      case 0x203B:  // advertising sets
        answer.push_back(1);
        break;
      case 0x1002: {
        std::vector<std::uint8_t> supported(64, 0);
        if (extended) supported[37] = 0x60;
        answer.insert(answer.end(), supported.begin(), supported.end());
        break;
      }
      case 0x2003:
        answer.insert(answer.end(),
                      {0, static_cast<std::uint8_t>(extended ? 0x18 : 0), 0, 0, 0, 0, 0, 0});
        break;
      case 0x2001:
        if ((!extended || !knows_extended_mask) && (p[1] & 0x10U) != 0) answer[0] = 0x12;
        break;
      case 0x2005:
        if (scanning || advertising) answer[0] = 0x0C;
        break;
      case 0x200B:
        scan_type = p[0];
        scan_parameters.assign(p.begin(), p.end());
        break;
      case 0x200C:
        ++legacy_scans;
        scanning = p[0] != 0;
        filters_duplicates = p[1] != 0;
        break;
      case 0x2041:
        scan_type = p[3];
        scan_parameters.assign(p.begin(), p.end());
        break;
      case 0x2042:
        scanning = scans_extended = p[0] != 0;
        filters_duplicates = p[1] != 0;
        break;
      case 0x200A:
      case 0x2039:
        advertising = p[0] != 0;
        break;
      case 0x2008:
        set_data(p.subspan(1, p[0]));
        break;
      case 0x2037:
        set_data(p.subspan(4, p[3]));
        break;
      case 0x2036:
        advert_parameters.assign(p.begin(), p.end());
        answer.push_back(4);  // the power it chose
        break;
      case 0x2006:
        advert_parameters.assign(p.begin(), p.end());
        break;
      default:
        break;
    }
    complete(opcode, answer);
  }

  // One advert on the air.
  void hear(std::span<const std::uint8_t> event) {
    if (silent || deaf || !scanning || (scans_extended ? deaf_extended : deaf_legacy)) return;
    std::vector<std::uint8_t> packet{0x04};
    packet.insert(packet.end(), event.begin(), event.end());
    if (beginnings_alone && packet[3] == 0x0D) {
      packet[5] = static_cast<std::uint8_t>((packet[5] & ~0x60U) | 0x20U);
    }
    to_host.push_back(std::move(packet));
  }

  void answer_late() {
    for (auto& packet : late_) to_host.push_back(std::move(packet));
    late_.clear();
  }

  // Power lost and back: all settings gone, and it says nothing about it.
  void reset_by_itself() {
    scanning = advertising = scans_extended = used_extended_ = false;
    late_.clear();
  }

  void hardware_error() { to_host.push_back({0x04, 0x10, 0x01, 0x42}); }

 private:
  void set_data(std::span<const std::uint8_t> data) {
    advert_data.assign(data.begin(), data.end());
    advert_history.push_back(advert_data);
  }
  void complete(std::uint16_t opcode, std::vector<std::uint8_t> result) {
    std::vector<std::uint8_t> packet{0x04,
                                     0x0E,
                                     static_cast<std::uint8_t>(3 + result.size()),
                                     static_cast<std::uint8_t>(takes_no_more ? 0 : 1),
                                     static_cast<std::uint8_t>(opcode & 0xFFU),
                                     static_cast<std::uint8_t>(opcode >> 8U)};
    packet.insert(packet.end(), result.begin(), result.end());
    (late.contains(opcode) ? late_ : to_host).push_back(std::move(packet));
  }

  bool used_extended_ = false;
  std::deque<std::vector<std::uint8_t>> late_;
};

}  // namespace welcome::beacon::testing
