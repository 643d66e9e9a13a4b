// SPDX-License-Identifier: Apache-2.0
#include "beacon/bluez_source.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <poll.h>
#include <sdbus-c++/sdbus-c++.h>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "beacon/live_source.h"

namespace welcome::beacon {
namespace {

using std::chrono::milliseconds;
using Properties = std::map<std::string, sdbus::Variant>;
using Interfaces = std::map<std::string, Properties>;

constexpr const char* kBluez = "org.bluez";
constexpr const char* kAdapter = "org.bluez.Adapter1";
constexpr const char* kDevice = "org.bluez.Device1";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr const char* kObjects = "org.freedesktop.DBus.ObjectManager";

constexpr std::size_t kMostDevices = 4096;
constexpr std::size_t kMostAd = 1650;  // what extended advertising can carry
constexpr milliseconds kRateOver{10000};
constexpr std::string_view kBaseUuid = "-0000-1000-8000-00805f9b34fb";

// What BlueZ said of a device so far: it tells only what changes.
struct Device {
  Address address{};
  AddressType type = AddressType::public_device;
  std::int8_t rssi_dbm = kNoRssi;
  std::int8_t tx_power_dbm = kNoTxPower;
  std::map<std::uint16_t, std::vector<std::uint8_t>> manufacturer;
  std::map<std::string, std::vector<std::uint8_t>> service;
  std::vector<std::string> uuids;
};

std::optional<std::uint8_t> hex_byte(std::string_view text) {
  std::uint8_t value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (bad != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// As on air: least significant byte first; 16-bit UUIDs as two bytes.
std::optional<std::vector<std::uint8_t>> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '-') {
      ++i;
      continue;
    }
    const auto byte = hex_byte(text.substr(i, 2));
    if (!byte) return std::nullopt;
    bytes.push_back(*byte);
    i += 2;
  }
  if (bytes.size() != 16) return std::nullopt;
  const bool short_one = text.substr(8) == kBaseUuid && bytes[0] == 0 && bytes[1] == 0;
  if (short_one) return std::vector<std::uint8_t>{bytes[3], bytes[2]};
  std::reverse(bytes.begin(), bytes.end());
  return bytes;
}

std::int8_t clamped(std::int16_t dbm) {
  return static_cast<std::int8_t>(std::clamp<int>(dbm, -127, 20));
}

void put_structure(std::vector<std::uint8_t>& ad, std::uint8_t type,
                   std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) {
  const std::size_t length = 1 + head.size() + body.size();
  if (length > 0xFF || ad.size() + length + 1 > kMostAd) return;
  ad.push_back(static_cast<std::uint8_t>(length));
  ad.push_back(type);
  ad.insert(ad.end(), head.begin(), head.end());
  ad.insert(ad.end(), body.begin(), body.end());
}

// The advert again, from what BlueZ made of it.
AdBytes advert_of(const Device& device) {
  std::vector<std::uint8_t> ad;
  for (const auto& [company, data] : device.manufacturer) {
    const std::array<std::uint8_t, 2> head{static_cast<std::uint8_t>(company & 0xFFU),
                                           static_cast<std::uint8_t>(company >> 8U)};
    put_structure(ad, 0xFF, head, data);
  }
  for (const auto& [text, data] : device.service) {
    if (const auto uuid = parse_uuid(text)) {
      put_structure(ad, uuid->size() == 2 ? 0x16 : 0x21, *uuid, data);
    }
  }
  for (const auto& text : device.uuids) {
    if (const auto uuid = parse_uuid(text)) {
      put_structure(ad, uuid->size() == 2 ? 0x02 : 0x06, *uuid, {});
    }
  }
  return AdBytes(ad);
}

// Takes over what changed. Throws sdbus::Error where BlueZ sends another type than it documents.
// True when something says that an advert was heard.
bool update(Device& device, const Properties& changed) {
  bool heard = false;
  for (const auto& [name, value] : changed) {
    if (name == "Address") {
      if (const auto address = parse_address(value.get<std::string>())) device.address = *address;
    } else if (name == "AddressType") {
      device.type = value.get<std::string>() == "random" ? AddressType::random_device
                                                         : AddressType::public_device;
    } else if (name == "RSSI") {
      device.rssi_dbm = clamped(value.get<std::int16_t>());
      heard = true;
    } else if (name == "TxPower") {
      device.tx_power_dbm = clamped(value.get<std::int16_t>());
    } else if (name == "ManufacturerData") {
      device.manufacturer.clear();
      for (const auto& [company, data] : value.get<std::map<std::uint16_t, sdbus::Variant>>()) {
        device.manufacturer[company] = data.get<std::vector<std::uint8_t>>();
      }
      heard = true;
    } else if (name == "ServiceData") {
      device.service.clear();
      for (const auto& [uuid, data] : value.get<std::map<std::string, sdbus::Variant>>()) {
        device.service[uuid] = data.get<std::vector<std::uint8_t>>();
      }
      heard = true;
    } else if (name == "UUIDs") {
      device.uuids = value.get<std::vector<std::string>>();
    }
  }
  return heard;
}

class BluezSource final : public LiveSource {
 public:
  BluezSource(BluezSourceConfig config, std::function<Now()> clock)
      : LiveSource(config.first_pause, config.longest_pause),
        config_(std::move(config)),
        clock_(std::move(clock)) {}
  ~BluezSource() override { stop(); }
  BluezSource(const BluezSource&) = delete;
  BluezSource& operator=(const BluezSource&) = delete;

 private:
  Ended serve() override {
    bool ran = false;
    std::string why;
    try {
      why = listen(ran);
    } catch (const sdbus::Error& error) {
      why = error.getName() == "org.freedesktop.DBus.Error.ServiceUnknown"
                ? "bluetoothd is not running"
                : "BlueZ: " + error.getMessage();
    }
    devices_.clear();
    reports_.clear();
    if (why.empty()) return Ended::stopped;
    update_status([ran](SourceStatus& status) {
      status.restarts += ran ? 1 : 0;
      status.reports_per_second = 0.0;
    });
    set_state(SourceState::recovering, why);
    return ran ? Ended::after_steady_running : Ended::early;
  }

  // Until stop(), then it is empty, or until it says why it cannot go on. Throws sdbus::Error.
  std::string listen(bool& ran) {
    const auto connection = config_.bus.empty()
                                ? sdbus::createSystemBusConnection()
                                : sdbus::createSessionBusConnectionWithAddress(config_.bus);
    lost_.clear();
    const auto match = [&](const std::string& rule, sdbus::message_handler handler) {
      connection->addMatch("type='signal'," + rule, std::move(handler), sdbus::floating_slot);
    };
    const std::string from_bluez = std::string("sender='") + kBluez + "',interface='";
    match(from_bluez + kObjects + "',member='InterfacesAdded'",
          [this](sdbus::Message& m) { guarded([&] { on_added(m); }); });
    match(from_bluez + kObjects + "',member='InterfacesRemoved'",
          [this](sdbus::Message& m) { guarded([&] { on_removed(m); }); });
    match(from_bluez + kProperties + "',member='PropertiesChanged'",
          [this](sdbus::Message& m) { guarded([&] { on_changed(m); }); });
    match(std::string("sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='") + kBluez +
              "'",
          [this](sdbus::Message&) { lost_ = "bluetoothd has gone"; });

    path_ = path_of_adapter(*connection);
    if (path_.empty()) return "there is no adapter " + config_.adapter;
    const auto adapter = sdbus::createProxy(*connection, kBluez, path_);
    begin_to_scan(*adapter);
    learn_devices(*connection);
    ran = true;
    set_state(SourceState::running, "");
    MonoTime next_check = clock_().mono + config_.check_every;
    rate_since_ = clock_().mono;
    rate_reports_ = 0;
    for (;;) {
      while (lost_.empty() && connection->processPendingRequest()) {
      }
      hand_over();
      if (!lost_.empty()) return lost_;
      const Now now = clock_();
      if (now.mono >= next_check) {
        next_check = now.mono + config_.check_every;
        if (!adapter->getProperty("Discovering").onInterface(kAdapter).get<bool>()) {
          return "BlueZ has stopped scanning";
        }
      }
      const auto bus = connection->getEventLoopPollData();
      std::array<pollfd, 2> fds{pollfd{wake_fd(), POLLIN, 0}, pollfd{bus.fd, bus.events, 0}};
      const int until_check =
          static_cast<int>(std::chrono::ceil<milliseconds>(next_check - now.mono).count());
      const int bus_timeout = bus.getPollTimeout();
      ::poll(fds.data(), fds.size(),
             bus_timeout < 0 ? until_check : std::min(bus_timeout, until_check));
      if ((fds[0].revents & POLLIN) != 0) {
        adapter->callMethod("StopDiscovery").onInterface(kAdapter).dontExpectReply();
        return {};
      }
    }
  }

  static void begin_to_scan(sdbus::IProxy& adapter) {
    if (!adapter.getProperty("Powered").onInterface(kAdapter).get<bool>()) {
      adapter.setProperty("Powered").onInterface(kAdapter).toValue(true);
    }
    const Properties filter{{"Transport", sdbus::Variant(std::string("le"))},
                            {"DuplicateData", sdbus::Variant(true)}};
    adapter.callMethod("SetDiscoveryFilter").onInterface(kAdapter).withArguments(filter);
    adapter.callMethod("StartDiscovery").onInterface(kAdapter);
  }

  using Objects = std::map<sdbus::ObjectPath, Interfaces>;
  static Objects managed_objects(sdbus::IConnection& connection) {
    Objects objects;
    sdbus::createProxy(connection, kBluez, "/")
        ->callMethod("GetManagedObjects")
        .onInterface(kObjects)
        .storeResultsTo(objects);
    return objects;
  }

  // By its address it may be another hciN each time. Empty: it is not there.
  std::string path_of_adapter(sdbus::IConnection& connection) const {
    const auto wanted = parse_address(config_.adapter);
    if (!wanted) return "/org/bluez/" + config_.adapter;
    for (const auto& [path, interfaces] : managed_objects(connection)) {
      const auto adapter = interfaces.find(kAdapter);
      if (adapter == interfaces.end()) continue;
      const auto address = adapter->second.find("Address");
      if (address != adapter->second.end() &&
          parse_address(address->second.get<std::string>()) == wanted) {
        return path;
      }
    }
    return {};
  }

  // Of devices that are there already BlueZ will tell changes only.
  void learn_devices(sdbus::IConnection& connection) {
    for (const auto& object : managed_objects(connection)) {
      const auto device = object.second.find(kDevice);
      if (device == object.second.end() || !is_ours(object.first)) continue;
      if (devices_.size() >= kMostDevices) return;
      guarded([&] { update(devices_[object.first], device->second); });
    }
  }

  // A signal that is not as documented is counted and has no effect.
  template <class Handle>
  void guarded(Handle&& handle) {
    try {
      handle();
    } catch (const sdbus::Error&) {
      update_status([](SourceStatus& status) { ++status.malformed; });
    }
  }

  bool is_ours(const std::string& path) const { return path.starts_with(path_ + "/"); }

  void on_added(sdbus::Message& message) {
    sdbus::ObjectPath path;
    Interfaces interfaces;
    message >> path >> interfaces;
    const auto device = interfaces.find(kDevice);
    if (device != interfaces.end() && is_ours(path)) take(path, device->second);
  }

  void on_removed(sdbus::Message& message) {
    sdbus::ObjectPath path;
    std::vector<std::string> interfaces;
    message >> path >> interfaces;
    const auto gone = [&](const char* what) {
      return std::find(interfaces.begin(), interfaces.end(), what) != interfaces.end();
    };
    if (path == path_ && gone(kAdapter)) lost_ = "the adapter " + config_.adapter + " has gone";
    if (gone(kDevice)) devices_.erase(path);
  }

  void on_changed(sdbus::Message& message) {
    const std::string path = message.getPath();
    std::string interface;
    Properties changed;
    message >> interface >> changed;
    if (interface == kDevice && is_ours(path)) take(path, changed);
    if (interface != kAdapter || path != path_) return;
    for (const char* what : {"Powered", "Discovering"}) {
      const auto found = changed.find(what);
      if (found == changed.end() || found->second.get<bool>()) continue;
      lost_ =
          found->first == "Powered" ? "the adapter was switched off" : "BlueZ has stopped scanning";
    }
  }

  void take(const std::string& path, const Properties& changed) {
    // BlueZ removes what it has not heard for a while; this is for when it does not.
    if (devices_.size() >= kMostDevices && !devices_.contains(path)) {
      devices_.erase(devices_.begin());
    }
    Device& device = devices_[path];
    if (!update(device, changed) || device.address == Address{}) return;
    AdvertReport& report = reports_.emplace_back();
    report.at = clock_().mono;
    report.address = device.address;
    report.address_type = device.type;
    report.rssi_dbm = device.rssi_dbm;
    report.tx_power_dbm = device.tx_power_dbm;
    report.ad = advert_of(device);
  }

  void hand_over() {
    const auto window = clock_().mono - rate_since_;
    rate_reports_ += reports_.size();
    update_status([&](SourceStatus& status) {
      status.reports += reports_.size();
      if (window >= kRateOver) {
        status.reports_per_second =
            static_cast<double>(rate_reports_) / std::chrono::duration<double>(window).count();
        rate_since_ += window;
        rate_reports_ = 0;
      }
    });
    if (!reports_.empty() && callbacks().reports) callbacks().reports(std::exchange(reports_, {}));
    reports_.clear();
  }

  const BluezSourceConfig config_;
  const std::function<Now()> clock_;

  // The source's thread alone.
  std::string path_;                                 // of the adapter
  std::unordered_map<std::string, Device> devices_;  // by object path
  std::vector<AdvertReport> reports_;
  std::string lost_;  // why this connection cannot go on
  MonoTime rate_since_;
  std::uint64_t rate_reports_ = 0;
};

}  // namespace

std::unique_ptr<AdvertSource> make_bluez_source(BluezSourceConfig config,
                                                std::function<Now()> clock) {
  return std::make_unique<BluezSource>(std::move(config), std::move(clock));
}

}  // namespace welcome::beacon
