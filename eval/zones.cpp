// welcome-eval zones: several boxes and what they heard in, every change of a customer's fast and
// settled zone out.
//   --ranging  t_ms,box,customer,rssi_dbm   in order of time
//   --boxes    box,zone
// A first line that starts with the first column's name is a heading.

#include <charconv>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "beacon/ranging.h"
#include "eval/command.h"

namespace welcome::eval {
namespace {

constexpr std::string_view kUsage = "zones --ranging FILE.csv --boxes FILE.csv";
constexpr MonoClock::duration kLookEvery = std::chrono::milliseconds{100};

struct HashText {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class T>
using ByName = std::unordered_map<std::string, T, HashText, std::equal_to<>>;

std::string read_file(const std::string& name) {
  std::ifstream in(name, std::ios::binary | std::ios::ate);
  if (!in) throw std::runtime_error("cannot open " + name);
  std::string text(static_cast<std::size_t>(in.tellg()), '\0');
  in.seekg(0);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\"");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\"") - first + 1);
}

// Cuts the text before `separator` off the front of `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  const std::string_view front = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return front;
}

std::optional<double> to_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Customer {
  beacon::StoreRanging ranging;
  MonoTime looked;
  nlohmann::json name;
};

}  // namespace

int zones(Arguments arguments) {
  std::string ranging_file;
  std::string boxes_file;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    if (arguments[i] == "--ranging") ranging_file = arguments[i + 1];
    if (arguments[i] == "--boxes") boxes_file = arguments[i + 1];
  }
  if (arguments.size() != 4 || ranging_file.empty() || boxes_file.empty()) {
    return usage_error(kUsage);
  }

  ByName<int> boxes;
  ByName<int> zone_numbers;
  std::vector<nlohmann::json> zone_names;
  std::vector<int> zone_of_box;
  const std::string boxes_text = read_file(boxes_file);
  for (std::string_view rest = boxes_text; !rest.empty();) {
    std::string_view line = cut(rest, '\n');
    const std::string_view box = trim(cut(line, ','));
    const std::string_view zone = trim(cut(line, ','));
    if (box.empty() || (boxes.empty() && box == "box")) continue;
    if (zone.empty()) throw std::runtime_error("a box without a zone in " + boxes_file);
    if (boxes.contains(box)) throw std::runtime_error("a box twice in " + boxes_file);
    const auto [it, fresh] =
        zone_numbers.try_emplace(std::string(zone), static_cast<int>(zone_names.size()));
    if (fresh) zone_names.emplace_back(std::string(zone));
    boxes.emplace(std::string(box), static_cast<int>(zone_of_box.size()));
    zone_of_box.push_back(it->second);
  }
  if (boxes.empty()) throw std::runtime_error("no boxes in " + boxes_file);

  ByName<Customer> customers;
  std::uint64_t rows = 0;
  std::uint64_t unknown_box = 0;
  std::uint64_t broken = 0;
  const beacon::RangingConfig config = beacon::RangingConfig::several_boxes();
  const std::string text = read_file(ranging_file);
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = cut(rest, '\n');
    const std::string_view t_text = trim(cut(line, ','));
    const std::string_view box_text = trim(cut(line, ','));
    const std::string_view name = trim(cut(line, ','));
    const auto t_ms = to_number(t_text);
    const auto rssi = to_number(trim(cut(line, ',')));
    if (t_text.empty() || t_text == "t_ms") continue;
    ++rows;
    if (!t_ms || !rssi || name.empty()) {
      ++broken;
      continue;
    }
    const auto box = boxes.find(box_text);
    if (box == boxes.end()) {
      ++unknown_box;
      continue;
    }
    const MonoTime at{std::chrono::microseconds{static_cast<std::int64_t>(*t_ms * 1000.0)}};
    auto it = customers.find(name);
    if (it == customers.end()) {
      it = customers
               .emplace(std::string(name),
                        Customer{beacon::StoreRanging(config, zone_of_box,
                                                      static_cast<int>(zone_names.size())),
                                 at - kLookEvery, std::string(name)})
               .first;
    }
    Customer& customer = it->second;
    // The controller's "no reading" is no reading; some recordings write impossible values for it.
    if (*rssi < 20.0 && *rssi > -127.0) customer.ranging.hear(box->second, *rssi, at);
    if (at - customer.looked < kLookEvery) continue;
    customer.looked = at;
    if (!customer.ranging.update(at)) continue;
    nlohmann::ordered_json out;
    out["t_ms"] = static_cast<std::int64_t>(*t_ms);
    out["customer"] = customer.name;
    out["fast"] = zone_names[static_cast<std::size_t>(customer.ranging.fast())];
    out["zone"] = zone_names[static_cast<std::size_t>(customer.ranging.settled())];
    std::cout << out.dump() << "\n";
  }
  std::cout.flush();
  std::cerr << "welcome-eval zones: " << rows << " rows, " << customers.size() << " customers, "
            << unknown_box << " of unknown boxes, " << broken << " broken\n";
  return 0;
}

}  // namespace welcome::eval
