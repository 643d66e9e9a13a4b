// SPDX-License-Identifier: Apache-2.0
// welcome-eval zones: several boxes and what they heard in, every change of a customer's fast and
// settled zone out. Each box is a Tracker as in the daemon, and they tell each other what they hear
// as often as the daemons do.
//
// A row that cannot be read is named with its line on stderr and left out; then the program ends
// with 1, all the same after it has judged the rest. Boxes that the second file does not name are
// counted and left out. Nothing is said of a customer while nobody hears her.

#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "beacon/tracker.h"
#include "eval/command.h"
#include "eval/zones_input.h"

namespace welcome::eval {
namespace {

using beacon::Tracker;

constexpr std::string_view kUsage = "zones --ranging FILE.csv --boxes FILE.csv [--fast-memory MS]";
constexpr std::size_t kMostZones = 255;
// Levels in a recording are relative to nothing: nobody is in the street by them.
constexpr double kNoStreetM = 1e6;

// The product has a street and three zones of boxes; a recording names as many as it likes. Their
// numbers begin after `away`.
Zone zone_of(std::size_t number) { return static_cast<Zone>(number + 1); }
std::size_t number_of(Zone zone) { return static_cast<std::size_t>(zone) - 1; }

// What a customer's phone would send: an iBeacon with her number for an id.
struct Phone {
  explicit Phone(std::uint32_t customer) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
      id[19 - shift / 8] = static_cast<std::uint8_t>(customer >> shift);
    }
    std::vector<std::uint8_t> ad{0x1A, 0xFF, 0x4C, 0x00, 0x02, 0x15};
    ad.insert(ad.end(), id.begin(), id.end());
    ad.push_back(static_cast<std::uint8_t>(-59));
    report.ad = beacon::AdBytes(ad);
    report.address_type = beacon::AddressType::random_device;
    report.address = {0xC0, 0, id[16], id[17], id[18], id[19]};
  }

  std::array<std::uint8_t, 20> id{};
  beacon::AdvertReport report;
};

class Store {
 public:
  // `fast_memory`: instead of the product's, to see what another one would do.
  Store(const StoreBoxes& boxes, const std::vector<std::string>& customers,
        std::optional<std::chrono::milliseconds> fast_memory)
      : boxes_(boxes) {
    std::vector<beacon::IdentityKey> keys;
    for (std::uint32_t i = 0; i < customers.size(); ++i) {
      phones_.emplace_back(i);
      beacon::IdentityKey& key = keys.emplace_back();
      key.identity = customers[i];
      key.customer = CustomerId(customers[i]);
      key.kind = beacon::IdentityKind::ibeacon;
      key.static_id = phones_.back().id;
    }
    for (std::size_t i = 0; i < boxes.names.size(); ++i) {
      beacon::StoreConfig store{boxes.names[i], zone_of(boxes.zone_of_box[i])};
      store.zones = boxes.zones.size() + 1;
      auto config = beacon::TrackerConfig::in_store(std::move(store));
      config.zones.door_m = config.zones.street_m = kNoStreetM;
      config.resolver.remembered_addresses = 4;
      if (fast_memory) config.ranging.fast_level.memory = *fast_memory;
      trackers_.emplace_back(std::move(config)).set_identities(keys, {});
    }
  }

  void hear(const RangingRow& row) {
    const MonoTime at = time_of(row.t_us);
    while (next_tell_ <= at) {
      // Nobody is here: no need to tell it four times a second.
      if (!someone_) {
        next_tell_ = at;
        break;
      }
      tell(next_tell_);
      next_tell_ += beacon::kTellEvery;
    }
    someone_ = true;
    beacon::AdvertReport& report = phones_[row.customer].report;
    report.at = at;
    report.rssi_dbm = row.rssi_dbm;
    print(trackers_[row.box], trackers_[row.box].handle(report, now_of(at)));
  }

  std::uint64_t copies() const {
    std::uint64_t sum = 0;
    for (const Tracker& tracker : trackers_) sum += tracker.counters().copies;
    return sum;
  }
  std::uint64_t impossible() const {
    std::uint64_t sum = 0;
    for (const Tracker& tracker : trackers_) sum += tracker.counters().impossible_rssi;
    return sum;
  }

 private:
  MonoTime time_of(std::int64_t t_us) {
    if (!first_us_) first_us_ = t_us;
    return MonoTime{std::chrono::hours{1} + std::chrono::microseconds{t_us - *first_us_}};
  }
  static Now now_of(MonoTime at) { return {at, {}, true}; }

  void tell(MonoTime at) {
    const Now now = now_of(at);
    for (std::size_t from = 0; from < trackers_.size(); ++from) {
      if (trackers_[from].present() == 0) continue;
      for (const auto& [customer, say] : trackers_[from].say(now)) {
        for (std::size_t to = 0; to < trackers_.size(); ++to) {
          if (to == from || trackers_[to].present() == 0) continue;
          print(trackers_[to],
                trackers_[to].hear(boxes_.names[from], zone_of(boxes_.zone_of_box[from]), customer,
                                   say, now));
        }
      }
    }
    someone_ = false;
    for (Tracker& tracker : trackers_) {
      print(tracker, tracker.tick(now));
      someone_ = someone_ || tracker.present() > 0;
    }
  }

  // What the box says that leads.
  void print(const Tracker& tracker, const std::vector<IdentityClaim>& claims) {
    for (const IdentityClaim& claim : claims) {
      if (!tracker.leads(claim.customer)) continue;
      auto& said = said_[claim.customer.str()];
      const std::pair zones{claim.fast, claim.settled};
      if (std::exchange(said, zones) == zones) continue;
      nlohmann::ordered_json out;
      const auto t_us = *first_us_ + (claim.at - MonoTime{std::chrono::hours{1}}).count();
      out["t_ms"] = t_us / 1000;
      out["customer"] = claim.customer.str();
      out["fast"] = boxes_.zones[number_of(claim.fast)];
      out["zone"] = boxes_.zones[number_of(claim.settled)];
      std::cout << out.dump() << "\n";
    }
  }

  const StoreBoxes& boxes_;
  std::vector<Phone> phones_;
  std::vector<Tracker> trackers_;
  ByName<std::pair<Zone, Zone>> said_;  // of each customer
  std::optional<std::int64_t> first_us_;
  MonoTime next_tell_;
  bool someone_ = false;
};

}  // namespace

int zones(Arguments arguments) {
  std::string ranging_file;
  std::string boxes_file;
  std::optional<std::chrono::milliseconds> fast_memory;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    if (i + 1 == arguments.size()) return usage_error(kUsage);
    const std::string value(arguments[i + 1]);
    if (arguments[i] == "--ranging") {
      ranging_file = value;
    } else if (arguments[i] == "--boxes") {
      boxes_file = value;
    } else if (int ms = 0; arguments[i] == "--fast-memory" &&
                           std::from_chars(value.data(), value.data() + value.size(), ms).ptr ==
                               value.data() + value.size() &&
                           ms > 0) {
      fast_memory = std::chrono::milliseconds{ms};
    } else {
      return usage_error(kUsage);
    }
  }
  if (ranging_file.empty() || boxes_file.empty()) return usage_error(kUsage);
  const StoreBoxes boxes = read_boxes(boxes_file);
  if (boxes.zones.size() >= kMostZones) throw std::runtime_error(boxes_file + ": too many zones");
  const Ranging ranging = read_ranging(ranging_file, boxes);
  Store store(boxes, ranging.customers, fast_memory);
  for (const RangingRow& row : ranging.rows) store.hear(row);
  std::cout.flush();
  std::cerr << "welcome-eval zones: " << ranging.lines << " rows, " << ranging.customers.size()
            << " customers, " << ranging.unknown_box << " rows of unknown boxes, " << ranging.broken
            << " unreadable, " << store.impossible() << " with an RSSI that cannot be, "
            << store.copies() << " copies found\n";
  return ranging.broken > 0 ? 1 : 0;
}

}  // namespace welcome::eval
