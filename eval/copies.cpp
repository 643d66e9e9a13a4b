// SPDX-License-Identifier: Apache-2.0
// welcome-eval copies: how often the tracker takes a device of a capture for a copy of itself.
// Every identity that never changes and that the capture holds is made a customer's, and the whole
// capture goes through a Tracker. All devices of a recording are honest, so any copy found is a
// mistake.

#include <algorithm>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "beacon/ad.h"
#include "beacon/capture.h"
#include "beacon/intake.h"
#include "beacon/tracker.h"
#include "core/hex.h"
#include "eval/command.h"

namespace welcome::eval {
namespace {

using beacon::AdvertReport;
using beacon::IdentityKind;

struct Device {
  beacon::IdentityKey key;
  MonoTime first;
  MonoTime last;
};
using Devices = std::map<std::string, Device>;

void note(Devices& devices, IdentityKind kind, std::span<const std::uint8_t> id, MonoTime at) {
  const std::string name = std::string(to_string(kind)) + " " + to_hex(id);
  const auto [it, fresh] = devices.try_emplace(name);
  Device& device = it->second;
  device.last = at;
  if (!fresh) return;
  device.first = at;
  device.key.identity = name;
  device.key.customer = CustomerId(name);
  device.key.kind = kind;
  std::copy(id.begin(), id.end(), device.key.static_id.begin());
}

void note(Devices& devices, const AdvertReport& report) {
  for (const beacon::Frame& frame : beacon::decode_ad(report.ad.view()).frames) {
    if (const auto* ibeacon = std::get_if<beacon::IBeacon>(&frame)) {
      note(devices, IdentityKind::ibeacon, ibeacon->id, report.at);
    } else if (const auto* alt = std::get_if<beacon::AltBeacon>(&frame)) {
      note(devices, IdentityKind::altbeacon, alt->id, report.at);
    } else if (const auto* uid = std::get_if<beacon::EddystoneUid>(&frame)) {
      note(devices, IdentityKind::eddystone_uid, uid->id, report.at);
    }
  }
}

bool judge(const std::string& file) {
  auto reader = beacon::open_capture(file);
  if (!reader) {
    std::cerr << "welcome-eval copies: " << reader.error().message << "\n";
    return false;
  }
  std::vector<AdvertReport> reports;
  beacon::AdvertIntake intake;
  for (beacon::CaptureRecord record; (*reader)->next(record);) {
    if (record.type != beacon::HciPacketType::event) continue;
    intake.take(record.packet, MonoTime{record.at.time_since_epoch()}, reports);
  }
  Devices devices;
  for (const AdvertReport& report : reports) note(devices, report);

  std::vector<beacon::IdentityKey> keys;
  MonoClock::duration heard{};
  for (const auto& [name, device] : devices) {
    keys.push_back(device.key);
    heard += device.last - device.first;
  }
  beacon::Tracker tracker;
  tracker.set_identities(std::move(keys), {});
  for (const AdvertReport& report : reports) {
    const Now now{report.at, {}, true};
    tracker.tick(now);
    tracker.handle(report, now);
  }
  nlohmann::ordered_json out;
  out["file"] = file;
  out["reports"] = tracker.counters().identified;
  out["identities"] = devices.size();
  out["hours"] = std::chrono::duration<double, std::ratio<3600>>(heard).count();
  out["copies"] = tracker.counters().copies;
  std::cout << out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  return true;
}

}  // namespace

int copies(Arguments arguments) {
  if (arguments.empty()) return usage_error("copies CAPTURE...");
  bool all = true;
  for (const std::string_view file : arguments) all = judge(std::string(file)) && all;
  return all ? 0 : 1;
}

}  // namespace welcome::eval
