#include "firmware/daemon/radio.h"

#include <algorithm>
#include <charconv>
#include <sodium.h>
#include <string_view>

#include "beacon/btsnoop_source.h"
#include "beacon/hci_source.h"

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

// UUID:MAJOR:MINOR
beacon::BoxAdverts::IBeaconId parse_ibeacon(const std::string& text) {
  beacon::BoxAdverts::IBeaconId id;
  const auto first = text.find(':');
  const auto second = text.find(':', first + 1);
  std::size_t written = 0;
  if (first != std::string::npos && second != std::string::npos &&
      sodium_hex2bin(id.uuid.data(), id.uuid.size(), text.data(), first, "-", &written, nullptr) ==
          0 &&
      written == id.uuid.size()) {
    const std::string_view rest(text);
    const auto major = number(rest.substr(first + 1, second - first - 1), 65535);
    const auto minor = number(rest.substr(second + 1), 65535);
    if (major && minor) {
      id.major = static_cast<std::uint16_t>(*major);
      id.minor = static_cast<std::uint16_t>(*minor);
      return id;
    }
  }
  throw ConfigError("radio.ibeacon = " + text + " is not UUID:MAJOR:MINOR");
}

beacon::OpenTransport transport(const Config& config) {
  const std::string& device = config.radio_device;
  if (device.starts_with("unix:")) {
    return [path = device.substr(5)] { return beacon::open_h4_socket(path); };
  }
  if (device.starts_with('/')) {
    return [device, baud = config.radio_baud] {
      return beacon::open_h4_line(device, baud, baud != 0);
    };
  }
  if (device.starts_with("hci")) {
    if (const auto adapter = number(std::string_view(device).substr(3), 65534)) {
      return [adapter = static_cast<std::uint16_t>(*adapter)] {
        return beacon::open_user_channel(adapter);
      };
    }
  }
  throw ConfigError("radio.device = " + device + " is not hciN, /dev/…, or unix:SOCKET");
}

std::unique_ptr<beacon::AdvertSource> make_recording(const Config& config, const Clock& clock) {
  const std::chrono::sys_time<std::chrono::microseconds> start{
      std::chrono::milliseconds(config.replay_start_ms)};
  return beacon::make_btsnoop_source(
      config.radio_file,
      [&clock, start](std::chrono::sys_time<std::chrono::microseconds> captured)
          -> std::optional<beacon::ReplaySlot> {
        const MonoTime at(captured - start);
        const auto wait = clock.until(at);
        if (wait == wait.zero() && clock.now().mono - at > kTooLate) return std::nullopt;
        return beacon::ReplaySlot{at, std::chrono::steady_clock::now() + wait};
      });
}

}  // namespace

std::optional<beacon::BoxAdverts::RotatingEid> box_eid(const Config& config,
                                                       const store::BoxKey& key) {
  if (config.radio_source != "hci" || !config.radio_advertise_eid) return std::nullopt;
  constexpr std::string_view kUse = "welcomed box EID 1";
  beacon::BoxAdverts::RotatingEid eid;
  crypto_generichash(eid.key.data(), eid.key.size(),
                     reinterpret_cast<const unsigned char*>(kUse.data()), kUse.size(), key.data(),
                     key.size());
  return eid;
}

std::unique_ptr<beacon::AdvertSource> make_radio(
    const Config& config, const Clock& clock,
    const std::optional<beacon::BoxAdverts::RotatingEid>& eid) {
  if (config.radio_source == "none") return nullptr;
  if (config.radio_source == "btsnoop") return make_recording(config, clock);
  beacon::HciSourceConfig hci;
  if (!config.radio_ibeacon.empty()) hci.host.adverts.ibeacon = parse_ibeacon(config.radio_ibeacon);
  hci.host.adverts.eid = eid;
  return beacon::make_hci_source(std::move(hci), transport(config),
                                 [&clock] { return clock.now(); });
}

}  // namespace welcome::daemon
