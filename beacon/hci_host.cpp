// SPDX-License-Identifier: Apache-2.0
#include "beacon/hci_host.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "beacon/hci_events.h"

namespace welcome::beacon {
namespace {

using Bytes = std::span<const std::uint8_t>;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint8_t kCommandPacket = 0x01;
constexpr std::uint8_t kEventPacket = 0x04;

constexpr std::uint8_t kEventCommandComplete = 0x0E;  // 7.7.14
constexpr std::uint8_t kEventCommandStatus = 0x0F;    // 7.7.15
constexpr std::uint8_t kEventHardwareError = 0x10;    // 7.7.16

constexpr std::uint16_t kSetEventMask = 0x0C01;            // 7.3.1
constexpr std::uint16_t kReset = 0x0C03;                   // 7.3.2
constexpr std::uint16_t kReadLocalVersion = 0x1001;        // 7.4.1
constexpr std::uint16_t kReadSupportedCommands = 0x1002;   // 7.4.2
constexpr std::uint16_t kLeSetEventMask = 0x2001;          // 7.8.1
constexpr std::uint16_t kLeReadFeatures = 0x2003;          // 7.8.3
constexpr std::uint16_t kLeSetRandomAddress = 0x2005;      // 7.8.4
constexpr std::uint16_t kLeSetAdvParameters = 0x2006;      // 7.8.5
constexpr std::uint16_t kLeSetAdvData = 0x2008;            // 7.8.7
constexpr std::uint16_t kLeSetAdvEnable = 0x200A;          // 7.8.9
constexpr std::uint16_t kLeSetScanParameters = 0x200B;     // 7.8.10
constexpr std::uint16_t kLeSetScanEnable = 0x200C;         // 7.8.11
constexpr std::uint16_t kLeSetAdvSetAddress = 0x2035;      // 7.8.52
constexpr std::uint16_t kLeSetExtAdvParameters = 0x2036;   // 7.8.53
constexpr std::uint16_t kLeSetExtAdvData = 0x2037;         // 7.8.54
constexpr std::uint16_t kLeSetExtAdvEnable = 0x2039;       // 7.8.56
constexpr std::uint16_t kLeSetExtScanParameters = 0x2041;  // 7.8.64
constexpr std::uint16_t kLeSetExtScanEnable = 0x2042;      // 7.8.65

constexpr std::uint8_t kPublicAddress = 0x00;  // passive scanning sends nothing, so none is seen
constexpr std::uint8_t kRandomAddress = 0x01;
constexpr std::uint8_t kAdvSet = 0;

// Adverts a second below which an air counts as silent.
constexpr double kSilentAir = 0.1;

void put16(std::vector<std::uint8_t>& out, std::uint16_t v) {
  out.push_back(static_cast<std::uint8_t>(v & 0xFFU));
  out.push_back(static_cast<std::uint8_t>(v >> 8U));
}

void put24(std::vector<std::uint8_t>& out, std::uint32_t v) {
  put16(out, static_cast<std::uint16_t>(v & 0xFFFFU));
  out.push_back(static_cast<std::uint8_t>(v >> 16U));
}

// Link layer time: units of 0.625 ms.
std::uint16_t slots(milliseconds time, std::uint16_t least, std::uint16_t most) {
  const auto units = time.count() * 1000 / 625;
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(units, least, most));
}

void put_address(std::vector<std::uint8_t>& out, const Address& address) {
  out.insert(out.end(), address.rbegin(), address.rend());
}

std::string opcode_text(std::uint16_t opcode) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%04X", opcode);
  return text;
}

}  // namespace

std::string_view to_string(ScanWay way) {
  static constexpr std::array<std::string_view, kScanWays> kNames{"extended scan with coded PHY",
                                                                  "extended scan", "legacy scan"};
  return kNames[static_cast<std::size_t>(way)];
}

HciHost::HciHost(HciHostConfig config, Send send, HciMemory before)
    : config_(config),
      send_(std::move(send)),
      way_(before.way),
      deaf_(before.deaf),
      babbles_(before.babbles),
      expected_rate_(before.expected_per_second) {}

void HciHost::start(const Now& now) {
  resets_in_a_row_ = 0;
  ways_ = {};
  proven_ = tries_ = parts_alone_ = false;
  silent_resets_ = 0;
  detail_.clear();
  silent_since_ = now.mono;
  recover("", now);
}

void HciHost::fail(const std::string& why) {
  detail_ = why;
  state_ = HciState::failed;
  queue_.clear();
  waiting_.reset();
}

std::string HciHost::remark() const {
  if (!proven_ && tries_) {
    std::string text = "trying the ";
    text += to_string(way_);
    return detail_.empty() ? text : detail_ + "; " + text;
  }
  return parts_alone_ && extended() ? "of each advert only the beginning is reported" : "";
}

// Back to the beginning: reset, then everything again.
void HciHost::recover(const std::string& why, const Now& now) {
  if (!why.empty()) {
    if (++resets_in_a_row_ > config_.resets_before_failure) return fail(why);
    detail_ = why;
  }
  state_ = HciState::setting_up;
  scanning_ = false;
  advertising_ = false;
  queue_.clear();
  waiting_.reset();
  credits_ = 1;
  sent_at_ = now.mono;
  ++counters_.resets;
  queue({kReset, {}, Need::must, nullptr});
  queue({kReadSupportedCommands, {}, Need::may, &HciHost::on_commands});
  queue({kLeReadFeatures, {}, Need::may, &HciHost::on_features});
  send_next(now);
}

// The next way round, if there is another.
std::optional<ScanWay> HciHost::other_way() {
  for (std::size_t i = 1; i < kScanWays; ++i) {
    const auto way = static_cast<ScanWay>((static_cast<std::size_t>(way_) + i) % kScanWays);
    if (usable(way)) return way;
  }
  return std::nullopt;
}

void HciHost::take_way(ScanWay way) {
  if (way == way_) return;
  ++counters_.way_changes;
  way_ = way;
  proven_ = false;
  tries_ = true;
}

// A receiver that hears in this way is reset once before another way is tried.
void HciHost::recover_from_silence(const std::string& why, const Now& now) {
  ++silent_resets_;
  const auto other = other_way();
  if (other && (!proven_ || silent_resets_ > 1)) take_way(*other);
  recover(why, now);
}

// 7.4.2; the bits are those of Vol 4, Part E, 6.27: octet 37, LE Set Extended Scan Parameters and
// Enable.
void HciHost::on_commands(Bytes result) {
  can_extended_scan_ = result.size() > 37 && (result[37] & 0x60U) == 0x60U;
}

// 7.8.3; bits of Vol 6, Part B, 4.6: 11 = coded PHY, 12 = extended advertising. What follows
// depends on them, so it is queued here.
void HciHost::on_features(Bytes result) {
  const bool extended = result.size() >= 8 && (result[1] & 0x10U) != 0 && can_extended_scan_;
  const bool coded = extended && (result[1] & 0x08U) != 0 && config_.coded_phy;
  of(ScanWay::extended_coded).possible = coded;
  of(ScanWay::extended).possible = extended;
  of(ScanWay::legacy).possible = true;
  if (!usable(way_)) {
    if (const auto other = other_way()) way_ = *other;
  }
  queue_setup();
}

void HciHost::queue_setup() {
  // What a host without connections can be sent: Command Complete and Status (bits 13, 14, which
  // come anyway), Hardware Error (15), LE Meta (61).
  queue({kSetEventMask, {0, 0xE0, 0, 0, 0, 0, 0, 0x20}, Need::may, nullptr});
  // Advertising Report (bit 1); Extended Advertising Report (bit 12), which a controller without
  // that feature may refuse.
  const std::uint8_t extended_reports = extended() ? 0x10 : 0;
  queue({kLeSetEventMask, {0x02, extended_reports, 0, 0, 0, 0, 0, 0}, Need::may, nullptr});
  if (config_.adverts.any() && !extended()) {  // not allowed any more once it scans
    std::vector<std::uint8_t> address;
    put_address(address, config_.adverts.address);
    queue({kLeSetRandomAddress, std::move(address), Need::may, nullptr});
  }
  queue_scan();
  if (config_.adverts.any()) queue_advertising();
}

void HciHost::queue_scan() {
  const std::uint16_t interval = slots(config_.scan_interval, 4, 0x4000);
  const std::uint16_t window = std::min(slots(config_.scan_window, 4, 0x4000), interval);
  std::vector<std::uint8_t> parameters;
  constexpr std::uint8_t kPassive = 0;
  constexpr std::uint8_t kEverybody = 0;
  if (extended()) {
    const bool coded = way_ == ScanWay::extended_coded;
    parameters = {kPublicAddress, kEverybody, static_cast<std::uint8_t>(coded ? 0x05 : 0x01)};
    for (int phy = 0; phy < (coded ? 2 : 1); ++phy) {
      parameters.push_back(kPassive);
      put16(parameters, interval);
      // Two PHYs share the receiver.
      put16(parameters, coded ? static_cast<std::uint16_t>(window / 2) : window);
    }
    queue({kLeSetExtScanParameters, std::move(parameters), Need::must, nullptr});
    // On, duplicates not filtered, until told otherwise.
    queue({kLeSetExtScanEnable, {1, 0, 0, 0, 0, 0}, Need::must, &HciHost::on_scanning});
  } else {
    parameters = {kPassive};
    put16(parameters, interval);
    put16(parameters, window);
    parameters.push_back(kPublicAddress);
    parameters.push_back(kEverybody);
    queue({kLeSetScanParameters, std::move(parameters), Need::must, nullptr});
    queue({kLeSetScanEnable, {1, 0}, Need::must, &HciHost::on_scanning});
  }
}

// Legacy PDUs, not connectable: every phone hears them. Extended commands where scanning uses them,
// because a controller refuses to mix the two.
void HciHost::queue_advertising() {
  const BoxAdverts& box = config_.adverts;
  const std::uint16_t interval = slots(box.interval, 0xA0, 0x4000);
  std::vector<std::uint8_t> parameters;
  eid_turn_ = !box.ibeacon.has_value();
  if (extended()) {
    constexpr std::uint16_t kLegacyNonConnectable = 0x0010;
    constexpr std::uint8_t kAllChannels = 0x07;
    parameters = {kAdvSet};
    put16(parameters, kLegacyNonConnectable);
    put24(parameters, interval);
    put24(parameters, interval);
    parameters.push_back(kAllChannels);
    parameters.push_back(kRandomAddress);
    parameters.insert(parameters.end(), 7, 0);  // no peer
    parameters.push_back(0);                    // no filter
    parameters.push_back(
        static_cast<std::uint8_t>(box.tx_power_dbm.value_or(kNoTxPower)));  // 127: no preference
    parameters.insert(parameters.end(), {1, 0, 1, 0, 0});  // 1M PHYs, set 0, no scan notification
    queue({kLeSetExtAdvParameters, std::move(parameters), Need::may, nullptr});
    std::vector<std::uint8_t> address{kAdvSet};
    put_address(address, box.address);
    queue({kLeSetAdvSetAddress, std::move(address), Need::may, nullptr});
    queue_advert_data(now_);
    queue({kLeSetExtAdvEnable, {1, 1, kAdvSet, 0, 0, 0}, Need::may, &HciHost::on_advertising});
  } else {
    constexpr std::uint8_t kNonConnectable = 0x03;
    put16(parameters, interval);
    put16(parameters, interval);
    parameters.push_back(kNonConnectable);
    parameters.push_back(kRandomAddress);
    parameters.insert(parameters.end(), 7, 0);
    parameters.push_back(0x07);
    parameters.push_back(0);
    queue({kLeSetAdvParameters, std::move(parameters), Need::may, nullptr});
    queue_advert_data(now_);
    queue({kLeSetAdvEnable, {1}, Need::may, &HciHost::on_advertising});
  }
}

std::vector<std::uint8_t> HciHost::advert_payload(const Now& now) const {
  const BoxAdverts& box = config_.adverts;
  std::vector<std::uint8_t> ad{0x02, 0x01, 0x06};
  if (eid_turn_ && box.eid) {
    const auto clock = std::chrono::floor<seconds>(now.wall - box.eid->clock_zero).count();
    const Eid eid = eddystone_eid(box.eid->key, box.eid->rotation_exponent,
                                  static_cast<std::uint32_t>(std::max<std::int64_t>(clock, 0)));
    ad.insert(ad.end(), {0x03, 0x03, 0xAA, 0xFE, 0x0D, 0x16, 0xAA, 0xFE, 0x30,
                         static_cast<std::uint8_t>(box.eid->tx_power_0m)});
    ad.insert(ad.end(), eid.begin(), eid.end());
  } else if (box.ibeacon) {
    const auto& id = *box.ibeacon;
    ad.insert(ad.end(), {0x1A, 0xFF, 0x4C, 0x00, 0x02, 0x15});
    ad.insert(ad.end(), id.uuid.begin(), id.uuid.end());
    ad.insert(
        ad.end(),
        {static_cast<std::uint8_t>(id.major >> 8U), static_cast<std::uint8_t>(id.major & 0xFFU),
         static_cast<std::uint8_t>(id.minor >> 8U), static_cast<std::uint8_t>(id.minor & 0xFFU),
         static_cast<std::uint8_t>(id.measured_power)});
  }
  return ad;
}

void HciHost::queue_advert_data(const Now& now) {
  std::vector<std::uint8_t> ad = advert_payload(now);
  const auto length = static_cast<std::uint8_t>(ad.size());
  std::vector<std::uint8_t> parameters;
  if (extended()) {
    constexpr std::uint8_t kComplete = 0x03;
    constexpr std::uint8_t kNoFragmenting = 0x01;
    parameters = {kAdvSet, kComplete, kNoFragmenting, length};
    parameters.insert(parameters.end(), ad.begin(), ad.end());
    queue({kLeSetExtAdvData, std::move(parameters), Need::may, nullptr});
  } else {
    parameters = {length};
    parameters.insert(parameters.end(), ad.begin(), ad.end());
    parameters.resize(32, 0);
    queue({kLeSetAdvData, std::move(parameters), Need::may, nullptr});
  }
  turn_since_ = now.mono;
}

void HciHost::on_advertising(Bytes) { advertising_ = true; }

void HciHost::on_scanning(Bytes) {
  scanning_ = true;
  state_ = HciState::running;
  running_since_ = now_.mono;
  first_heard_.reset();
  last_heard_ = now_.mono;
  rate_since_ = now_.mono;
  heard_since_ = 0;
  at_rate_since_ = intake_.counters();
  at_heard_ = intake_.counters();
}

void HciHost::transmit(const Now& now) {
  sent_at_ = now.mono;
  std::vector<std::uint8_t> packet{kCommandPacket};
  put16(packet, waiting_->opcode);
  packet.push_back(static_cast<std::uint8_t>(waiting_->parameters.size()));
  packet.insert(packet.end(), waiting_->parameters.begin(), waiting_->parameters.end());
  send_(packet);
}

void HciHost::send_next(const Now& now) {
  if (waiting_ || queue_.empty() || credits_ == 0) return;
  waiting_ = std::move(queue_.front());
  queue_.pop_front();
  repeat_at_.reset();
  transmit(now);
}

void HciHost::bytes_lost(const Now& now) {
  if (waiting_) repeat_at_ = now.mono + config_.repeat_after;
}

void HciHost::answer(std::uint16_t opcode, std::uint8_t status, Bytes result, const Now& now) {
  if (!waiting_ || waiting_->opcode != opcode) {
    // Opcode 0 only grants credits; others are answers that came after their time.
    if (opcode != 0) ++counters_.stray_answers;
    return;
  }
  const Command command = std::move(*waiting_);
  waiting_.reset();
  if (status != 0) {
    refused(command, now);
  } else if (command.answered != nullptr) {
    (this->*command.answered)(result);
  }
}

void HciHost::refused(const Command& command, const Now& now) {
  ++counters_.refused;
  const std::string why = "the controller refused command " + opcode_text(command.opcode);
  switch (command.opcode) {
    case kReadSupportedCommands:
      can_extended_scan_ = false;
      return;
    case kLeReadFeatures:
      return on_features({});
    case kLeSetEventMask:
      if (!extended()) return;  // the default has Advertising Report in it
      // It would hear, and not say so. No command of the extended ones has been sent yet.
      of(ScanWay::extended_coded).refused = of(ScanWay::extended).refused = true;
      way_ = ScanWay::legacy;
      detail_ = why;
      queue_.clear();
      return queue_setup();
    case kLeSetScanParameters:
    case kLeSetScanEnable:
    case kLeSetExtScanParameters:
    case kLeSetExtScanEnable: {
      of(way_).refused = true;
      const auto other = other_way();
      if (!other) return fail(why);  // and would be refused again
      take_way(*other);
      return recover(why, now);
    }
    default:
      if (command.need == Need::must) recover(why, now);
  }
}

void HciHost::receive(Bytes packet, const Now& now, std::vector<AdvertReport>& reports) {
  if (state_ == HciState::idle || state_ == HciState::failed) return;
  if (packet.size() < 3 || packet[0] != kEventPacket) return;
  now_ = now;
  const Bytes event = packet.subspan(1);
  const Bytes parameters = event.subspan(2);
  switch (event[0]) {
    case kEventCommandComplete:
      if (parameters.size() >= 3) {
        credits_ = parameters[0];
        const auto opcode = static_cast<std::uint16_t>(parameters[1] | (parameters[2] << 8U));
        const std::uint8_t status = parameters.size() > 3 ? parameters[3] : std::uint8_t{0};
        answer(opcode, status, parameters.size() > 4 ? parameters.subspan(4) : Bytes{}, now);
        send_next(now);
      }
      break;
    case kEventCommandStatus:
      if (parameters.size() >= 4) {
        credits_ = parameters[1];
        const auto opcode = static_cast<std::uint16_t>(parameters[2] | (parameters[3] << 8U));
        answer(opcode, parameters[0], {}, now);
        send_next(now);
      }
      break;
    case kEventHardwareError:
      ++counters_.hardware_errors;
      recover("the controller reported a hardware error", now);
      break;
    case kEventLeMeta: {
      const std::uint64_t told = intake_.counters().told;
      intake_.take(event, now.mono, reports);
      if (intake_.counters().told > told) heard(intake_.counters().told - told, now);
      break;
    }
    default:
      break;
  }
}

void HciHost::heard(std::uint64_t reports, const Now& now) {
  if (!first_heard_) first_heard_ = now.mono;
  last_heard_ = silent_since_ = now.mono;
  heard_since_ += reports;
  at_heard_ = intake_.counters();
  deaf_ = babbles_ = false;
  proven_ = true;
  of(way_).had_a_try = false;
  silent_resets_ = 0;
}

// About every 10 s.
void HciHost::end_window(double seconds, const Now& now) {
  heard_rate_ = static_cast<double>(heard_since_) / seconds;
  // Minutes of memory: a shop that empties is no stall, a receiver that dies is.
  expected_rate_ = expected_rate_ == 0.0 ? heard_rate_ : 0.9 * expected_rate_ + 0.1 * heard_rate_;
  const IntakeCounters& before = at_rate_since_;
  const IntakeCounters& counts = intake_.counters();
  const auto fragments = static_cast<double>(counts.fragments - before.fragments);
  const bool parts_alone =
      fragments >= config_.expected_adverts && intake_.counters().whole == before.whole;
  if (counts.empty == before.empty && counts.fragments == before.fragments) babbles_ = false;
  rate_since_ = now.mono;
  heard_since_ = 0;
  at_rate_since_ = counts;
  if (heard_rate_ > 0.0) resets_in_a_row_ = 0;
  if (parts_alone && !parts_alone_) {
    parts_alone_ = true;
    ++counters_.stalls;
    if (usable(ScanWay::legacy)) {
      of(ScanWay::extended_coded).had_a_try = of(ScanWay::extended).had_a_try = true;
      take_way(ScanWay::legacy);
      recover("of each advert only the beginning is reported", now);
      return;
    }
  }
  if (heard_rate_ > 0.0) try_better(now);
}

// The air is not silent. Was it that before, or is a better way deaf?
void HciHost::try_better(const Now& now) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(way_); ++i) {
    Way& better = ways_[i];
    if (!better.possible || better.refused || better.had_a_try) continue;
    better.had_a_try = true;
    // Heard at once where the way before had been silent: that was deaf.
    constexpr std::chrono::seconds kAtOnce{2};
    const double missed =
        heard_rate_ * std::chrono::duration<double>(config_.first_silence).count();
    if (tries_ && first_heard_ && *first_heard_ - running_since_ < kAtOnce &&
        missed >= config_.expected_adverts) {
      continue;
    }
    take_way(static_cast<ScanWay>(i));
    return recover("", now);
  }
}

void HciHost::watch(const Now& now) {
  const double window = std::chrono::duration<double>(now.mono - rate_since_).count();
  if (window >= 10.0) {
    end_window(window, now);
    if (state_ != HciState::running) return;
  }
  if (deaf_ && expected_rate_ < kSilentAir) deaf_ = false;
  const auto silent = now.mono - last_heard_;
  const double missing = expected_rate_ * std::chrono::duration<double>(silent).count();
  // What it said meanwhile that says nothing.
  const std::uint64_t empty = intake_.counters().empty - at_heard_.empty;
  const std::uint64_t parts = intake_.counters().fragments - at_heard_.fragments;
  if (silent >= config_.shortest_stall &&
      static_cast<double>(empty + parts) >= config_.expected_adverts) {
    ++counters_.stalls;
    babbles_ = true;
    return recover_from_silence(empty >= parts
                                    ? "the controller reports adverts without data"
                                    : "the controller reports parts of adverts, and none is whole",
                                now);
  }
  if (silent >= config_.shortest_stall && missing >= config_.expected_adverts) {
    ++counters_.stalls;
    deaf_ = true;
    // Expect less after each reset: if the air really is silent now, this ends by itself.
    expected_rate_ *= 0.5;
    heard_rate_ = 0.0;
    return recover_from_silence("nothing was heard where adverts were expected", now);
  }
  // A way in which something was heard is believed for long.
  std::chrono::seconds patience = config_.longest_silence;
  if (!proven_ && other_way()) {
    constexpr unsigned kMostDoublings = 10;
    patience = std::min(patience,
                        config_.first_silence * (1U << std::min(silent_resets_, kMostDoublings)));
  }
  if (now.mono - silent_since_ >= patience) {
    ++counters_.long_silences;
    silent_since_ = now.mono;
    resets_in_a_row_ = 0;
    recover_from_silence("nothing was heard for " + std::to_string(patience.count()) + " s", now);
  }
}

// In a silent air: is the controller still there? A time-out says when not.
void HciHost::probe(const Now& now) {
  if (waiting_ || !queue_.empty() || now.mono - last_heard_ < config_.probe_every ||
      now.mono - sent_at_ < config_.probe_every) {
    return;
  }
  queue({kReadLocalVersion, {}, Need::may, nullptr});
  send_next(now);
}

void HciHost::tick(const Now& now) {
  now_ = now;
  if (state_ == HciState::idle || state_ == HciState::failed) return;
  if (waiting_ && repeat_at_ && now.mono >= *repeat_at_) {
    repeat_at_.reset();
    ++counters_.repeated;
    transmit(now);
  }
  // Nothing waiting, but commands queued: the controller has said that it takes none.
  if ((waiting_ || !queue_.empty()) && now.mono - sent_at_ >= config_.command_timeout) {
    ++counters_.command_timeouts;
    recover(waiting_ ? "the controller did not answer command " + opcode_text(waiting_->opcode)
                     : "the controller takes no more commands",
            now);
    return;
  }
  if (state_ != HciState::running) return;
  watch(now);
  if (state_ != HciState::running) return;

  const BoxAdverts& box = config_.adverts;
  if (advertising_ && queue_.empty() && now.mono - turn_since_ >= box.turn) {
    // With the EID alone each turn still brings the window up to date.
    if (box.ibeacon && box.eid) eid_turn_ = !eid_turn_;
    if (box.eid) queue_advert_data(now);
    send_next(now);
  }
  probe(now);
}

}  // namespace welcome::beacon
