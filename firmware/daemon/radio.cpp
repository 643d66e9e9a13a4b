// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/radio.h"

#include <algorithm>
#include <charconv>
#include <sodium.h>
#include <string_view>

#include "beacon/bluez_source.h"
#include "beacon/capture_source.h"
#include "beacon/hci_source.h"
#include "contract/topics.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

// A report of a recording that is later than this is past: the daemon was started after it.
constexpr auto kTooLate = 1s;

std::optional<int> number(std::string_view text, int most) {
  int value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc() || end != text.data() + text.size() || value < 0 || value > most) {
    return std::nullopt;
  }
  return value;
}

// A static random address of the box's own, so that phones can tell two boxes apart: the two top
// bits are set (Core Specification 5.4, Vol 6, Part B, 1.3.2.1).
beacon::Address box_address(const Config& config) {
  const std::string name = contract::address_text({config.tenant, config.store, config.box});
  std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(name.data()),
                     name.size(), nullptr, 0);
  beacon::Address address{};
  std::copy_n(hash.begin(), address.size(), address.begin());
  address[0] |= 0xC0U;
  return address;
}

beacon::HciHostConfig host_config(const Config& config,
                                  const std::optional<beacon::BoxAdverts::RotatingEid>& eid) {
  const auto ms = [](int value) { return std::chrono::milliseconds(value); };
  beacon::HciHostConfig host;
  host.scan_interval = ms(config.radio_scan_interval_ms);
  host.scan_window = ms(config.radio_scan_window_ms);
  host.coded_phy = config.radio_coded_phy;
  host.adverts.address = box_address(config);
  host.adverts.interval = ms(config.radio_advertise_interval_ms);
  if (config.radio_tx_power_dbm != beacon::kNoTxPower) {
    host.adverts.tx_power_dbm = static_cast<std::int8_t>(config.radio_tx_power_dbm);
  }
  if (!config.radio_ibeacon.empty()) {
    host.adverts.ibeacon = parse_ibeacon(config.radio_ibeacon).value();
    host.adverts.ibeacon->measured_power =
        static_cast<std::int8_t>(config.radio_advertise_power_1m_dbm);
  }
  host.adverts.eid = eid;
  return host;
}

struct OpensTransport {
  unsigned baud;

  beacon::OpenTransport operator()(const Adapter& adapter) const {
    return [name = adapter.name] { return beacon::open_user_channel(name); };
  }
  beacon::OpenTransport operator()(const SerialLine& line) const {
    return
        [path = line.path, speed = baud] { return beacon::open_h4_line(path, speed, speed != 0); };
  }
  beacon::OpenTransport operator()(const UnixSocket& socket) const {
    return [path = socket.path] { return beacon::open_h4_socket(path); };
  }
};

std::unique_ptr<beacon::AdvertSource> make_recording(const Config& config, const Clock& clock) {
  const std::chrono::sys_time<std::chrono::microseconds> start{
      std::chrono::milliseconds(config.replay_start_ms)};
  return beacon::make_capture_source(
      config.radio_file,
      [&clock, start](std::chrono::sys_time<std::chrono::microseconds> captured)
          -> std::optional<beacon::ReplaySlot> {
        const MonoTime at(captured - start);
        const auto wait = clock.until(at);
        if (wait == wait.zero() && clock.now().mono - at > kTooLate) return std::nullopt;
        return beacon::ReplaySlot{at, steady_now() + wait};
      });
}

std::unique_ptr<beacon::AdvertSource> make_bluez(const Config& config, const Clock& clock) {
  beacon::BluezSourceConfig bluez;
  bluez.adapter = config.radio_device;
  return beacon::make_bluez_source(std::move(bluez), [&clock] { return clock.now(); });
}

std::unique_ptr<beacon::AdvertSource> make_hci(
    const Config& config, const Clock& clock,
    const std::optional<beacon::BoxAdverts::RotatingEid>& eid) {
  beacon::HciSourceConfig hci;
  hci.host = host_config(config, eid);
  return beacon::make_hci_source(hci,
                                 std::visit(OpensTransport{config.radio_baud},
                                            parse_radio_device(config.radio_device).value()),
                                 [&clock] { return clock.now(); });
}

}  // namespace

std::optional<RadioDevice> parse_radio_device(const std::string& text) {
  if (text.starts_with("unix:/")) return UnixSocket{text.substr(5)};
  if (text.starts_with("/dev/")) return SerialLine{text};
  if (const auto address = beacon::parse_address(text)) return Adapter{*address};
  if (!text.starts_with("hci")) return std::nullopt;
  const auto adapter = number(std::string_view(text).substr(3), 65534);
  if (!adapter) return std::nullopt;
  return Adapter{static_cast<std::uint16_t>(*adapter)};
}

std::optional<beacon::BoxAdverts::IBeaconId> parse_ibeacon(const std::string& text) {
  beacon::BoxAdverts::IBeaconId id;
  const auto first = text.find(':');
  const auto second = text.find(':', first + 1);
  if (first == std::string::npos || second == std::string::npos) return std::nullopt;
  std::size_t written = 0;
  if (sodium_hex2bin(id.uuid.data(), id.uuid.size(), text.data(), first, "-", &written, nullptr) !=
          0 ||
      written != id.uuid.size()) {
    return std::nullopt;
  }
  const std::string_view rest(text);
  const auto major = number(rest.substr(first + 1, second - first - 1), 65535);
  const auto minor = number(rest.substr(second + 1), 65535);
  if (!major || !minor) return std::nullopt;
  id.major = static_cast<std::uint16_t>(*major);
  id.minor = static_cast<std::uint16_t>(*minor);
  return id;
}

std::optional<beacon::BoxAdverts::RotatingEid> box_eid(const Config& config,
                                                       const store::BoxKey& key) {
  if (config.radio_source != RadioSource::hci || !config.radio_advertise_eid) return std::nullopt;
  constexpr std::string_view kUse = "welcomed box EID 1";
  // Eddystone says the power at 0 m, which is 41 dB more.
  constexpr int kPower0mOver1m = 41;
  beacon::BoxAdverts::RotatingEid eid;
  eid.tx_power_0m =
      static_cast<std::int8_t>(std::min(config.radio_advertise_power_1m_dbm + kPower0mOver1m, 20));
  crypto_generichash(eid.key.data(), eid.key.size(),
                     reinterpret_cast<const unsigned char*>(kUse.data()), kUse.size(), key.data(),
                     key.size());
  return eid;
}

std::unique_ptr<beacon::AdvertSource> make_radio(
    const Config& config, const Clock& clock,
    const std::optional<beacon::BoxAdverts::RotatingEid>& eid) {
  switch (config.radio_source) {
    case RadioSource::none:
      break;
    case RadioSource::hci:
      return make_hci(config, clock, eid);
    case RadioSource::bluez:
      return make_bluez(config, clock);
    case RadioSource::btsnoop:
      return make_recording(config, clock);
  }
  return nullptr;
}

}  // namespace welcome::daemon
