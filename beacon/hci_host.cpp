#include "beacon/hci_host.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

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

HciHost::HciHost(HciHostConfig config, Send send, double expected_per_second)
    : config_(config), send_(std::move(send)), expected_rate_(expected_per_second) {}

void HciHost::start(const Now& now) {
  resets_in_a_row_ = 0;
  extended_refused_ = false;
  detail_.clear();
  silent_since_ = now.mono;
  recover("", now);
}

// Back to the beginning: reset, then everything anew.
void HciHost::recover(const std::string& why, const Now& now) {
  if (!why.empty()) {
    detail_ = why;
    if (++resets_in_a_row_ > config_.resets_before_failure) {
      state_ = HciState::failed;
      queue_.clear();
      waiting_.reset();
      return;
    }
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

// 7.4.2; the bits are those of Vol 4, Part E, 6.27: octet 37, LE Set Extended Scan Parameters and
// Enable.
void HciHost::on_commands(Bytes result) {
  can_extended_scan_ = result.size() > 37 && (result[37] & 0x60U) == 0x60U;
}

// 7.8.3; bits of Vol 6, Part B, 4.6: 11 = coded PHY, 12 = extended advertising. What follows
// depends on them, so it is queued here.
void HciHost::on_features(Bytes result) {
  const bool extended =
      result.size() >= 8 && (result[1] & 0x10U) != 0 && can_extended_scan_ && !extended_refused_;
  can_coded_phy_ = result.size() >= 8 && (result[1] & 0x08U) != 0;
  can_extended_advertising_ = extended;
  extended_scan_ = extended;
  // The default mask, and LE Meta (bit 61).
  queue({kSetEventMask, {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0x00, 0x20}, Need::must, nullptr});
  // Advertising Report (bit 1), Extended Advertising Report (bit 12).
  queue({kLeSetEventMask, {0x02, 0x10, 0, 0, 0, 0, 0, 0}, Need::must, nullptr});
  if (config_.adverts.any() && !extended) {  // not allowed any more once it scans
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
  if (extended_scan_) {
    const bool coded = config_.coded_phy && can_coded_phy_;
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
  if (can_extended_advertising_) {
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
  if (can_extended_advertising_) {
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
  last_heard_ = now_.mono;
  rate_since_ = now_.mono;
  heard_since_ = 0;
}

void HciHost::send_next(const Now& now) {
  if (waiting_ || queue_.empty() || credits_ == 0) return;
  waiting_ = std::move(queue_.front());
  queue_.pop_front();
  sent_at_ = now.mono;
  std::vector<std::uint8_t> packet{kCommandPacket};
  put16(packet, waiting_->opcode);
  packet.push_back(static_cast<std::uint8_t>(waiting_->parameters.size()));
  packet.insert(packet.end(), waiting_->parameters.begin(), waiting_->parameters.end());
  send_(packet);
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
    ++counters_.refused;
    const bool extended =
        command.opcode == kLeSetExtScanParameters || command.opcode == kLeSetExtScanEnable;
    if (command.need == Need::must) {
      // A controller that cannot do what it says: once more, the old way.
      if (extended) extended_refused_ = true;
      recover("the controller refused command " + opcode_text(opcode), now);
      return;
    }
    if (command.opcode == kReadSupportedCommands) can_extended_scan_ = false;
    if (command.opcode == kLeReadFeatures) on_features({});
    return;
  }
  if (command.answered != nullptr) (this->*command.answered)(result);
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
      const std::size_t before = reports.size();
      parse_advertising_event(event, now.mono, reports, counters_.reports);
      const std::size_t heard = reports.size() - before;
      if (heard > 0) {
        last_heard_ = silent_since_ = now.mono;
        deaf_ = false;
        heard_since_ += heard;
        if (before == 0) {
          assembler_.process(reports);
        } else {
          std::vector<AdvertReport> fresh(
              std::make_move_iterator(reports.begin() + static_cast<std::ptrdiff_t>(before)),
              std::make_move_iterator(reports.end()));
          reports.resize(before);
          assembler_.process(fresh);
          std::move(fresh.begin(), fresh.end(), std::back_inserter(reports));
        }
      }
      break;
    }
    default:
      break;
  }
}

void HciHost::watch_rate(const Now& now) {
  const double window = std::chrono::duration<double>(now.mono - rate_since_).count();
  if (window >= 10.0) {
    heard_rate_ = static_cast<double>(heard_since_) / window;
    // Minutes of memory: a shop that empties is no stall, a receiver that dies is.
    expected_rate_ = expected_rate_ == 0.0 ? heard_rate_ : 0.9 * expected_rate_ + 0.1 * heard_rate_;
    rate_since_ = now.mono;
    heard_since_ = 0;
    if (heard_rate_ > 0.0) resets_in_a_row_ = 0;
  }
  if (deaf_ && expected_rate_ < kSilentAir) deaf_ = false;
  const auto silent = now.mono - last_heard_;
  const double missing = expected_rate_ * std::chrono::duration<double>(silent).count();
  if (silent >= config_.shortest_stall && missing >= config_.expected_adverts) {
    ++counters_.stalls;
    deaf_ = true;
    // Expect less after each reset: if the air really is silent now, this ends by itself.
    expected_rate_ *= 0.5;
    heard_rate_ = 0.0;
    recover("nothing was heard where adverts were expected", now);
    return;
  }
  if (now.mono - silent_since_ >= config_.longest_silence) {
    ++counters_.long_silences;
    silent_since_ = now.mono;
    resets_in_a_row_ = 0;
    recover("nothing was heard for a long time", now);
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
  // Nothing waiting, but commands queued: the controller has said that it takes none.
  if ((waiting_ || !queue_.empty()) && now.mono - sent_at_ >= config_.command_timeout) {
    ++counters_.command_timeouts;
    recover(waiting_ ? "the controller did not answer command " + opcode_text(waiting_->opcode)
                     : "the controller takes no more commands",
            now);
    return;
  }
  if (state_ != HciState::running) return;
  watch_rate(now);
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
