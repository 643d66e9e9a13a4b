// SPDX-License-Identifier: Apache-2.0
#include "eval/zones_input.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iostream>
#include <optional>
#include <stdexcept>

namespace welcome::eval {
namespace {

constexpr std::uint64_t kNamedLines = 20;  // of unreadable rows; the rest is counted
constexpr double kMostMs = 1e15;           // in µs it still fits into 64 bits

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

// As a controller would have reported it. Whether that can be believed, the Tracker judges.
std::int8_t reported_rssi(double dbm) {
  constexpr std::int8_t kNone = 127;
  const double rounded = std::round(dbm);
  return rounded >= -128.0 && rounded <= 126.0 ? static_cast<std::int8_t>(rounded) : kNone;
}

[[noreturn]] void wrong(const std::string& file, std::size_t line, std::string_view why) {
  throw std::runtime_error(file + ":" + std::to_string(line) + ": " + std::string(why));
}

}  // namespace

StoreBoxes read_boxes(const std::string& file) {
  StoreBoxes boxes;
  ByName<std::size_t> zone_numbers;
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
    const auto [it, fresh] = zone_numbers.try_emplace(std::string(zone), boxes.zones.size());
    if (fresh) boxes.zones.emplace_back(zone);
    boxes.number.emplace(std::string(box), static_cast<std::uint32_t>(boxes.names.size()));
    boxes.names.emplace_back(box);
    boxes.zone_of_box.push_back(it->second);
  }
  if (boxes.number.empty()) throw std::runtime_error(file + ": no boxes");
  return boxes;
}

Ranging read_ranging(const std::string& file, const StoreBoxes& boxes) {
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
    auto customer = customers.find(name);
    if (customer == customers.end()) {
      customer =
          customers.emplace(std::string(name), static_cast<std::uint32_t>(customers.size())).first;
      out.customers.emplace_back(name);
    }
    out.rows.push_back(
        {std::llround(*t_ms * 1000.0), customer->second, box->second, reported_rssi(*rssi)});
  }
  std::stable_sort(out.rows.begin(), out.rows.end(),
                   [](const RangingRow& a, const RangingRow& b) { return a.t_us < b.t_us; });
  return out;
}

}  // namespace welcome::eval
