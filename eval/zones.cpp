// welcome-eval zones: several boxes and what they heard in, every change of a customer's fast and
// settled zone out.
//   --ranging  t_ms,box,customer,rssi_dbm   in any order; rows of the same time stay in theirs
//   --boxes    box,zone
// A first line that starts with the first column's name is a heading. A row that cannot be read is
// named with its line on stderr and left out; then the program ends with 1, all the same after it
// has judged the rest. Boxes that the second file does not name are counted and left out.

#include <algorithm>
#include <charconv>
#include <cmath>
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
constexpr std::uint64_t kNamedLines = 20;  // of unreadable rows; the rest is counted
constexpr double kMostMs = 1e15;           // in µs it still fits into 64 bits
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

// Spreadsheets put a byte order mark in front.
std::string_view without_mark(std::string_view text) {
  return text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text;
}

std::optional<double> to_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

struct Boxes {
  ByName<int> number;
  std::vector<int> zone_of_box;
  std::vector<nlohmann::json> zones;  // names
};

struct Row {
  MonoTime at;
  std::uint32_t customer;
  std::int32_t box;
  float rssi;
};

struct Ranging {
  std::vector<Row> rows;
  std::vector<nlohmann::json> customers;  // names
  std::uint64_t lines = 0;
  std::uint64_t unknown_box = 0;
  std::uint64_t broken = 0;
};

[[noreturn]] void wrong(const std::string& file, std::size_t line, std::string_view why) {
  throw std::runtime_error(file + ":" + std::to_string(line) + ": " + std::string(why));
}

Boxes read_boxes(const std::string& file) {
  Boxes boxes;
  ByName<int> zone_numbers;
  const std::string text = read_file(file);
  std::size_t number = 0;
  for (std::string_view rest = without_mark(text); !rest.empty();) {
    std::string_view line = cut(rest, '\n');
    ++number;
    if (trim(line).empty()) continue;
    const std::string_view box = trim(cut(line, ','));
    const std::string_view zone = trim(cut(line, ','));
    if (boxes.number.empty() && box == "box") continue;
    if (box.empty()) wrong(file, number, "no name of a box");
    if (zone.empty()) wrong(file, number, "a box without a zone");
    if (boxes.number.contains(box)) wrong(file, number, "this box was named before");
    const auto [it, fresh] =
        zone_numbers.try_emplace(std::string(zone), static_cast<int>(boxes.zones.size()));
    if (fresh) boxes.zones.emplace_back(std::string(zone));
    boxes.number.emplace(std::string(box), static_cast<int>(boxes.zone_of_box.size()));
    boxes.zone_of_box.push_back(it->second);
  }
  if (boxes.number.empty()) throw std::runtime_error(file + ": no boxes");
  return boxes;
}

Ranging read_ranging(const std::string& file, const Boxes& boxes) {
  Ranging out;
  ByName<std::uint32_t> customers;
  const std::string text = read_file(file);
  out.rows.reserve(text.size() / 16);
  std::size_t number = 0;
  for (std::string_view rest = without_mark(text); !rest.empty();) {
    std::string_view line = cut(rest, '\n');
    ++number;
    if (trim(line).empty()) continue;
    const std::string_view t_text = trim(cut(line, ','));
    const std::string_view box_text = trim(cut(line, ','));
    const std::string_view name = trim(cut(line, ','));
    const std::string_view rssi_text = trim(cut(line, ','));
    if (out.lines == 0 && t_text == "t_ms") continue;
    ++out.lines;
    const auto t_ms = to_number(t_text);
    const auto rssi = to_number(rssi_text);
    const std::string_view why = !t_ms || std::abs(*t_ms) > kMostMs ? "t_ms is not a time in ms"
                                 : box_text.empty()                 ? "no box"
                                 : name.empty()                     ? "no customer"
                                 : !rssi                            ? "rssi_dbm is not a number"
                                                                    : "";
    if (!why.empty()) {
      if (++out.broken <= kNamedLines) {
        std::cerr << file << ":" << number << ": " << why << "; row left out\n";
      }
      continue;
    }
    const auto box = boxes.number.find(box_text);
    if (box == boxes.number.end()) {
      ++out.unknown_box;
      continue;
    }
    // The controller's "no reading" is no reading; some recordings write impossible values for it.
    if (*rssi >= 20.0 || *rssi <= -127.0) continue;
    auto customer = customers.find(name);
    if (customer == customers.end()) {
      customer =
          customers.emplace(std::string(name), static_cast<std::uint32_t>(customers.size())).first;
      out.customers.emplace_back(std::string(name));
    }
    out.rows.push_back({MonoTime{std::chrono::microseconds{std::llround(*t_ms * 1000.0)}},
                        customer->second, box->second, static_cast<float>(*rssi)});
  }
  return out;
}

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

  const Boxes boxes = read_boxes(boxes_file);
  Ranging ranging = read_ranging(ranging_file, boxes);
  std::stable_sort(ranging.rows.begin(), ranging.rows.end(),
                   [](const Row& a, const Row& b) { return a.at < b.at; });

  const beacon::RangingConfig config = beacon::RangingConfig::several_boxes();
  struct Customer {
    beacon::StoreRanging ranging;
    MonoTime looked;
  };
  std::vector<std::optional<Customer>> customers(ranging.customers.size());
  for (const Row& row : ranging.rows) {
    auto& customer = customers[row.customer];
    if (!customer) {
      customer.emplace(Customer{
          beacon::StoreRanging(config, boxes.zone_of_box, static_cast<int>(boxes.zones.size())),
          row.at - kLookEvery});
    }
    customer->ranging.hear(row.box, row.rssi, row.at);
    if (row.at - customer->looked < kLookEvery) continue;
    customer->looked = row.at;
    if (!customer->ranging.update(row.at)) continue;
    nlohmann::ordered_json out;
    out["t_ms"] = std::chrono::floor<std::chrono::milliseconds>(row.at).time_since_epoch().count();
    out["customer"] = ranging.customers[row.customer];
    out["fast"] = boxes.zones[static_cast<std::size_t>(customer->ranging.fast())];
    out["zone"] = boxes.zones[static_cast<std::size_t>(customer->ranging.settled())];
    std::cout << out.dump() << "\n";
  }
  std::cout.flush();
  std::cerr << "welcome-eval zones: " << ranging.lines << " rows, " << customers.size()
            << " customers, " << ranging.unknown_box << " rows of unknown boxes, " << ranging.broken
            << " unreadable\n";
  return ranging.broken > 0 ? 1 : 0;
}

}  // namespace welcome::eval
