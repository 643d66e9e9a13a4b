// SPDX-License-Identifier: Apache-2.0
#pragma once
// The two files of `welcome-eval zones`, read: what boxes there are, and what they heard.
//   ranging  t_ms,box,customer,rssi_dbm   in any order; rows of the same time stay in theirs
//   boxes    box,zone
// A first line that starts with the first column's name is a heading.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace welcome::eval {

struct HashText {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class T>
using ByName = std::unordered_map<std::string, T, HashText, std::equal_to<>>;

struct StoreBoxes {
  ByName<std::uint32_t> number;
  std::vector<std::string> names;
  std::vector<std::size_t> zone_of_box;
  std::vector<std::string> zones;
};

struct RangingRow {
  std::int64_t t_us;
  std::uint32_t customer;
  std::uint32_t box;
  std::int8_t rssi_dbm;  // what fits into no HCI report is 127: no reading
};

struct Ranging {
  std::vector<RangingRow> rows;  // by time
  std::vector<std::string> customers;
  std::uint64_t lines = 0;
  std::uint64_t unknown_box = 0;  // rows of boxes that the other file does not name: left out
  std::uint64_t broken = 0;       // rows that cannot be read: named on stderr and left out
};

// Both throw std::runtime_error for a file that cannot be opened, and the first for any line of it
// that cannot be read.
StoreBoxes read_boxes(const std::string& file);
Ranging read_ranging(const std::string& file, const StoreBoxes& boxes);

}  // namespace welcome::eval
