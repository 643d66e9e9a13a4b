// SPDX-License-Identifier: Apache-2.0
// welcome-shop: writes the capture of the demo's story, what the radio of a box on a shop's desk
// hears in 205 s: three members, and some three dozen strangers' devices. The same seed and start
// give the same bytes.

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "beacon/btsnoop.h"
#include "beacon/key_schedule.h"
#include "demo/members_json.h"

namespace welcome::demo {
namespace {

using beacon::CaptureTime;
using Payload = std::vector<std::uint8_t>;
using std::chrono::microseconds;

constexpr double kStoryEnd = 205.0;  // story seconds
constexpr double kPathLossExponent = 2.2;
constexpr double kPower1m = -59.0;      // dBm of every phone and fob here
constexpr std::int8_t kPower0m = -18;   // the same as Eddystone says it
constexpr double kSensitivity = -97.0;  // dBm; weaker adverts are not heard

// The standard's distributions differ between libraries; these do not.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  double uniform(double from, double to) {
    return from + (to - from) * (static_cast<double>(engine_() >> 11U) * 0x1.0p-53);
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(engine_() >> 56U); }
  bool chance(double p) { return uniform(0, 1) < p; }
  double gauss(double sigma) {  // sum of twelve: good enough for radio
    double sum = -6.0;
    for (int i = 0; i < 12; ++i) sum += uniform(0, 1);
    return sum * sigma;
  }

 private:
  std::mt19937_64 engine_;
};

struct Waypoint {
  double t;  // story seconds
  double metres;
};
using Path = std::vector<Waypoint>;

// Distance from the box, or a negative number while she is out of the picture.
double distance_at(const std::vector<Path>& paths, double t) {
  for (const Path& path : paths) {
    if (t < path.front().t || t > path.back().t) continue;
    for (std::size_t i = 1; i < path.size(); ++i) {
      if (t > path[i].t) continue;
      const double part = (t - path[i - 1].t) / (path[i].t - path[i - 1].t);
      return path[i - 1].metres + part * (path[i].metres - path[i - 1].metres);
    }
  }
  return -1.0;
}

// Slow shadowing by bodies and shelves, and the fast fading of each packet.
class Fading {
 public:
  double next(Dice& dice, double t) {
    const double keep = std::exp(-(t - t_) / 3.0);
    shadow_ = keep * shadow_ + std::sqrt(1.0 - keep * keep) * dice.gauss(2.0);
    t_ = t;
    return shadow_ + dice.gauss(2.0);
  }

 private:
  double shadow_ = 0.0;
  double t_ = 0.0;
};

struct Device {
  std::vector<Path> paths;
  double interval_s = 0.25;
  double heard = 0.85;                  // share of its adverts that no other packet destroys
  double rotates_at = kStoryEnd + 1.0;  // when it takes its second address
  bool random_address = true;
  bool extended = false;        // reported with the extended event
  std::uint8_t event_type = 0;  // legacy PDU: 0 connectable, 3 not
  std::array<beacon::Address, 2> addresses{};
  std::function<Payload(double)> payload;
};

struct Heard {
  double t;
  bool extended;
  Payload report;  // one report as it lies in the HCI event
};

// ---- payloads ----

Payload ad(std::uint8_t type, std::initializer_list<std::span<const std::uint8_t>> parts) {
  Payload out{0, type};
  for (const auto part : parts) out.insert(out.end(), part.begin(), part.end());
  out[0] = static_cast<std::uint8_t>(out.size() - 1);
  return out;
}

Payload join(std::initializer_list<Payload> parts) {
  Payload out;
  for (const Payload& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

Payload noise(Dice& dice, std::size_t n) {
  Payload out(n);
  for (auto& b : out) b = dice.byte();
  return out;
}

const Payload flags{0x02, 0x01, 0x1A};

Payload manufacturer(std::uint16_t company, const Payload& data) {
  const std::array<std::uint8_t, 2> id{static_cast<std::uint8_t>(company & 0xFFU),
                                       static_cast<std::uint8_t>(company >> 8U)};
  return ad(0xFF, {id, data});
}

Payload service_data(std::uint16_t uuid, const Payload& data) {
  const std::array<std::uint8_t, 2> id{static_cast<std::uint8_t>(uuid & 0xFFU),
                                       static_cast<std::uint8_t>(uuid >> 8U)};
  return ad(0x16, {id, data});
}

Payload name(std::string_view text) {
  return ad(0x09, {{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}});
}

Payload eddystone_eid(const beacon::Eid& eid) {
  Payload frame{0x30, static_cast<std::uint8_t>(kPower0m)};
  frame.insert(frame.end(), eid.begin(), eid.end());
  return join({flags, {0x03, 0x03, 0xAA, 0xFE}, service_data(0xFEAA, frame)});
}

Payload ibeacon(std::span<const std::uint8_t> id, std::int8_t power) {
  Payload data{0x02, 0x15};
  data.insert(data.end(), id.begin(), id.end());
  data.push_back(static_cast<std::uint8_t>(power));
  return join({flags, manufacturer(0x004C, data)});
}

// ---- people ----

std::vector<std::uint8_t> from_hex(std::string text) {
  std::erase(text, '-');
  if (text.size() % 2 != 0) throw std::runtime_error("odd number of hex digits in a member's key");
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  }
  return out;
}

beacon::Address random_address(Dice& dice, std::uint8_t top_bits) {
  beacon::Address address;
  for (auto& b : address) b = dice.byte();
  address[0] = static_cast<std::uint8_t>((address[0] & 0x3FU) | top_bits);
  return address;
}
constexpr std::uint8_t kNonResolvable = 0x00;
constexpr std::uint8_t kResolvable = 0x40;
constexpr std::uint8_t kStatic = 0xC0;

// RFC 3339 with offset, or milliseconds since 1970.
CaptureTime parse_time(const std::string& text) {
  if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos) {
    return CaptureTime{std::chrono::milliseconds{std::stoll(text)}};
  }
  int y = 0;
  unsigned mo = 0;
  unsigned d = 0;
  int h = 0;
  int mi = 0;
  double s = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2d:%2d:%lf%n", &y, &mo, &d, &h, &mi, &s, &used) !=
      6) {
    throw std::runtime_error("not a time: " + text);
  }
  const std::chrono::year_month_day date{std::chrono::year{y}, std::chrono::month{mo},
                                         std::chrono::day{d}};
  if (!date.ok()) throw std::runtime_error("not a date: " + text);
  CaptureTime at = std::chrono::sys_days{date} + std::chrono::hours{h} + std::chrono::minutes{mi} +
                   microseconds{std::llround(s * 1e6)};
  const std::string zone = text.substr(static_cast<std::size_t>(used));
  int zh = 0;
  int zm = 0;
  char sign = 0;
  if (zone == "Z") return at;
  if (std::sscanf(zone.c_str(), "%c%2d:%2d", &sign, &zh, &zm) != 3 ||
      (sign != '+' && sign != '-')) {
    throw std::runtime_error("a time needs Z or an offset: " + text);
  }
  const auto offset = std::chrono::hours{zh} + std::chrono::minutes{zm};
  return sign == '+' ? at - offset : at + offset;
}

// Where the members are, by customer.
const std::map<std::string, std::vector<Path>>& member_paths() {
  static const std::map<std::string, std::vector<Path>> paths{
      {"c-paul",
       {{{10, 18}, {19, 14}, {28, 20}},
        {{50, 12}, {52, 8.5}, {58, 4.5}, {64, 1.4}, {104, 1.4}, {110, 5}, {114, 9}, {118, 15}},
        {{150, 12}, {152, 8.5}, {156, 4.5}, {160, 1.4}, {190, 1.4}, {194, 5}, {199, 13}}}},
      {"c-mia",
       {{{70, 13}, {74, 8.5}, {80, 4.5}, {92, 4}, {98, 1.5}, {112, 1.5}, {116, 6}, {120, 14}}}},
      {"c-bruno", {{{96, 12}, {98, 8.5}, {102, 4.5}, {110, 1.4}, {150, 1.4}, {153, 6}, {156, 13}}}},
  };
  return paths;
}

std::vector<Device> members(const nlohmann::json& all, CaptureTime start, Dice& dice) {
  std::vector<Device> out;
  for (const auto& member : all.at("identities")) {
    const auto path = member_paths().find(member.at("customer").get<std::string>());
    if (path == member_paths().end()) continue;  // not in this story
    Device device;
    device.paths = path->second;
    device.heard = 0.9;
    const std::string kind = member.at("kind");
    if (kind == "eddystone_eid") {
      beacon::Block key{};
      const auto bytes = from_hex(member.at("key"));
      if (bytes.size() != key.size()) throw std::runtime_error("a member's key is not 16 bytes");
      std::copy(bytes.begin(), bytes.end(), key.begin());
      const auto exponent = member.at("rotation_exponent").get<unsigned>();
      const CaptureTime zero = parse_time(member.at("clock_zero"));
      device.interval_s = 0.25;
      device.event_type = 3;
      const beacon::Address one = random_address(dice, kResolvable);
      device.addresses = {one, one};
      device.payload = [=](double t) {
        const CaptureTime now = start + microseconds{std::llround(t * 1e6)};
        const auto clock = std::chrono::floor<std::chrono::seconds>(now - zero).count();
        return eddystone_eid(
            beacon::eddystone_eid(key, exponent, static_cast<std::uint32_t>(clock)));
      };
    } else if (kind == "ibeacon") {
      auto id = from_hex(member.at("uuid"));
      for (const char* field : {"major", "minor"}) {
        const auto number = member.at(field).get<unsigned>();
        id.push_back(static_cast<std::uint8_t>(number >> 8U));
        id.push_back(static_cast<std::uint8_t>(number & 0xFFU));
      }
      device.interval_s = 0.3;
      device.event_type = 3;
      const beacon::Address one = random_address(dice, kStatic);
      device.addresses = {one, one};
      device.payload = [id](double) { return ibeacon(id, static_cast<std::int8_t>(kPower1m)); };
    } else {
      throw std::runtime_error("the story has no device of kind " + kind);
    }
    out.push_back(std::move(device));
  }
  return out;
}

// Walks by, comes in for a while, or stands there all day.
std::vector<Path> stranger_path(Dice& dice) {
  const double pick = dice.uniform(0, 1);
  if (pick < 0.45) {
    const double t = dice.uniform(-10, 190);
    const double far = dice.uniform(20, 30);
    const double near = dice.uniform(9, 16);
    return {{{t, far}, {t + 14, near}, {t + 28, far}}};
  }
  if (pick < 0.8) {
    const double t = dice.uniform(-60, 150);
    const double stay = dice.uniform(20, 120);
    const double near = dice.uniform(1.5, 6);
    return {{{t, 16}, {t + 12, near}, {t + 12 + stay, near}, {t + 24 + stay, 16}}};
  }
  const double where = dice.uniform(4, 18);
  return {{{-1, where}, {kStoryEnd, where}}};
}

std::vector<Device> strangers(Dice& dice) {
  std::vector<Device> out;
  const auto add = [&](int count, double interval, std::uint8_t bits, std::uint8_t event_type,
                       const std::function<Payload()>& make) {
    for (int i = 0; i < count; ++i) {
      Device device;
      device.paths = stranger_path(dice);
      device.interval_s = interval * dice.uniform(0.8, 1.3);
      device.event_type = event_type;
      device.addresses = {random_address(dice, bits), random_address(dice, bits)};
      if (bits == kStatic) device.addresses[1] = device.addresses[0];
      if (bits != kStatic && dice.chance(0.4)) device.rotates_at = dice.uniform(20, 190);
      const std::array<Payload, 2> payloads{make(), make()};
      const double rotates_at = device.rotates_at;
      device.payload = [=](double t) { return payloads[t < rotates_at ? 0 : 1]; };
      out.push_back(std::move(device));
    }
  };
  // Apple: nearby info, AirPods in their case, Find My.
  add(9, 0.4, kResolvable, 0, [&] {
    return join(
        {flags, {0x02, 0x0A, 0x0C}, manufacturer(0x004C, join({{0x10, 0x05}, noise(dice, 5)}))});
  });
  add(3, 0.5, kNonResolvable, 3, [&] {
    return manufacturer(0x004C, join({{0x07, 0x19, 0x01}, noise(dice, 24)}));
  });
  add(3, 2.0, kStatic, 0, [&] {
    return manufacturer(0x004C, join({{0x12, 0x19, 0x10}, noise(dice, 24)}));
  });
  // Android: Fast Pair, Find Hub; Samsung; a phone of another company's Eddystone-EID programme.
  add(4, 0.3, kResolvable, 0, [&] {
    return join({flags, {0x03, 0x03, 0x2C, 0xFE}, service_data(0xFE2C, noise(dice, 8))});
  });
  add(2, 2.0, kNonResolvable, 3, [&] {
    return join({{0x02, 0x01, 0x06}, service_data(0xFEAA, join({{0x41}, noise(dice, 21)}))});
  });
  add(3, 0.5, kResolvable, 0, [&] {
    return join({flags, manufacturer(0x0075, join({{0x42, 0x04}, noise(dice, 18)}))});
  });
  add(2, 0.3, kResolvable, 3, [&] {
    beacon::Eid eid;
    for (auto& b : eid) b = dice.byte();
    return eddystone_eid(eid);
  });
  // Laptops, watches, headphones, tags, the neighbour's iBeacons.
  add(2, 0.6, kNonResolvable, 3, [&] {
    return manufacturer(0x0006, join({{0x01, 0x09, 0x20, 0x02}, noise(dice, 22)}));
  });
  add(3, 0.8, kStatic, 0, [&] {
    return join({flags, ad(0x07, {noise(dice, 16)}), name("Watch")});
  });
  add(2, 2.0, kStatic, 0, [&] {
    return join(
        {{0x02, 0x01, 0x06}, {0x03, 0x03, 0xED, 0xFE}, service_data(0xFEED, noise(dice, 10))});
  });
  add(2, 0.3, kStatic, 3, [&] { return ibeacon(noise(dice, 20), -59); });
  // A printer and a screen with public addresses; one of them breaks the AD format.
  add(1, 1.0, kStatic, 0, [&] { return join({{0x02, 0x01, 0x06}, name("Printer 4200")}); });
  out.back().random_address = false;
  add(1, 1.0, kStatic, 0, [&] { return join({{0x02, 0x01, 0x06}, {0x1B, 0xFF, 0x75, 0x00}}); });
  out.back().random_address = false;
  // Newer controllers report some of them by the extended event.
  for (std::size_t i = 0; i < out.size(); i += 5) out[i].extended = true;
  return out;
}

// ---- air ----

Payload report(const Device& device, const beacon::Address& address, const Payload& data,
               std::int8_t rssi) {
  Payload out;
  const auto put_address = [&] { out.insert(out.end(), address.rbegin(), address.rend()); };
  const std::uint8_t address_type = device.random_address ? 1 : 0;
  if (device.extended) {  // legacy PDU in an extended report
    out = {device.event_type == 0 ? std::uint8_t{0x13} : std::uint8_t{0x10}, 0x00, address_type};
    put_address();
    // PHYs, no set, no power, RSSI, no periodic interval, no direct address
    const std::array<std::uint8_t, 14> fixed{
        1, 0, 0xFF, 0x7F, static_cast<std::uint8_t>(rssi), 0, 0, 0, 0, 0, 0, 0, 0, 0};
    out.insert(out.end(), fixed.begin(), fixed.end());
    out.push_back(static_cast<std::uint8_t>(data.size()));
    out.insert(out.end(), data.begin(), data.end());
  } else {
    out = {device.event_type, address_type};
    put_address();
    out.push_back(static_cast<std::uint8_t>(data.size()));
    out.insert(out.end(), data.begin(), data.end());
    out.push_back(static_cast<std::uint8_t>(rssi));
  }
  return out;
}

std::vector<Heard> listen(const std::vector<Device>& devices, Dice& dice) {
  std::vector<Heard> heard;
  for (const Device& device : devices) {
    Fading fading;
    // The advertising delay of up to 10 ms keeps two devices from colliding for ever.
    for (double t = dice.uniform(0, device.interval_s); t < kStoryEnd;
         t += device.interval_s + dice.uniform(0, 0.01)) {
      const double metres = distance_at(device.paths, t);
      const double fade = fading.next(dice, t);
      if (metres < 0 || !dice.chance(device.heard)) continue;
      const double dbm =
          kPower1m - 10.0 * kPathLossExponent * std::log10(std::max(metres, 0.3)) + fade;
      if (dbm < kSensitivity) continue;
      const auto& address = device.addresses[t < device.rotates_at ? 0 : 1];
      heard.push_back({t, device.extended,
                       report(device, address, device.payload(t),
                              static_cast<std::int8_t>(std::lround(std::min(dbm, -20.0))))});
    }
  }
  std::stable_sort(heard.begin(), heard.end(),
                   [](const Heard& a, const Heard& b) { return a.t < b.t; });
  return heard;
}

void write(const std::string& file, CaptureTime start, const std::vector<Heard>& heard) {
  auto writer = beacon::BtsnoopWriter::create(file);
  if (!writer) throw std::runtime_error(writer.error().message);
  for (std::size_t i = 0; i < heard.size();) {
    // A controller puts reports that arrive together into one event.
    std::size_t n = 1;
    while (i + n < heard.size() && n < 4 && heard[i + n].extended == heard[i].extended &&
           heard[i + n].t - heard[i].t < 0.002) {
      ++n;
    }
    Payload event{0x3E, 0, heard[i].extended ? std::uint8_t{0x0D} : std::uint8_t{0x02},
                  static_cast<std::uint8_t>(n)};
    for (std::size_t j = i; j < i + n; ++j) {
      event.insert(event.end(), heard[j].report.begin(), heard[j].report.end());
    }
    event[1] = static_cast<std::uint8_t>(event.size() - 2);
    const CaptureTime at = start + microseconds{std::llround(heard[i].t * 1e6)};
    const auto written = writer->write(at, beacon::HciPacketType::event, true, event);
    if (!written) throw std::runtime_error(written.error().message);
    i += n;
  }
  if (const auto closed = writer->close(); !closed)
    throw std::runtime_error(closed.error().message);
}

constexpr std::string_view kUsage =
    "usage: welcome-shop --out FILE --start TIME [--seed N] [--members FILE]\n"
    "  --out FILE      the btsnoop file to write\n"
    "  --start TIME    story second 0: RFC 3339, or milliseconds since 1970\n"
    "  --seed N        another day with the same story (default 1)\n"
    "  --members FILE  identities as in the CRM feed (default: demo/members.json of the build)\n";

int run(std::span<char*> arguments) {
  std::map<std::string, std::string> options{{"--seed", "1"}};
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string option = arguments[i];
    const bool known =
        option == "--out" || option == "--start" || option == "--seed" || option == "--members";
    if (!known || i + 1 == arguments.size()) {
      std::cerr << kUsage;
      return 2;
    }
    options[option] = arguments[i + 1];
  }
  if (!options.contains("--out") || !options.contains("--start")) {
    std::cerr << kUsage;
    return 2;
  }
  nlohmann::json people;
  if (options.contains("--members")) {
    std::ifstream in(options["--members"]);
    if (!in) throw std::runtime_error("cannot open " + options["--members"]);
    people = nlohmann::json::parse(in);
  } else {
    people = nlohmann::json::parse(kMembersJson);
  }
  const CaptureTime start = parse_time(options["--start"]);
  Dice dice(std::stoull(options["--seed"]));
  std::vector<Device> devices = members(people, start, dice);
  for (Device& device : strangers(dice)) devices.push_back(std::move(device));
  const auto heard = listen(devices, dice);
  write(options["--out"], start, heard);
  std::cerr << "welcome-shop: " << heard.size() << " adverts of " << devices.size()
            << " devices in " << kStoryEnd << " s\n";
  return 0;
}

}  // namespace
}  // namespace welcome::demo

int main(int argc, char** argv) {
  try {
    return welcome::demo::run(std::span(argv + 1, static_cast<std::size_t>(argc - 1)));
  } catch (const std::exception& e) {
    std::cerr << "welcome-shop: " << e.what() << "\n";
    return 1;
  }
}
