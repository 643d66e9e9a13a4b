// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/print.h"

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "core/text.h"

namespace welcome::ctl {

namespace {

using nlohmann::json;

constexpr std::size_t kWhole = 1U << 20U;  // bytes; an answer is smaller

std::string cell(const json& value) {
  if (value.is_string()) return plain_text(value.get<std::string>(), kWhole);
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return plain_text(value.dump(-1, ' ', false, json::error_handler_t::replace), kWhole);
}

// Columns on a terminal, not bytes: continuation bytes of UTF-8 take none.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void print_table(std::ostream& out, const json& rows) {
  std::vector<std::string> columns;
  for (const auto& row : rows) {
    for (const auto& item : row.items()) {
      if (std::find(columns.begin(), columns.end(), item.key()) == columns.end()) {
        columns.push_back(item.key());
      }
    }
  }
  std::vector<std::vector<std::string>> lines{{}};
  for (const auto& column : columns) lines[0].push_back(plain_text(column, kWhole));
  for (const auto& row : rows) {
    std::vector<std::string> line;
    for (const auto& column : columns) line.push_back(cell(row.value(column, json())));
    lines.push_back(std::move(line));
  }
  std::vector<std::size_t> widths(columns.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += line[i];
      if (i + 1 < line.size()) text += std::string(widths[i] - width(line[i]) + 2, ' ');
    }
    out << text << '\n';
  }
}

void print_object(std::ostream& out, const json& object, std::size_t depth) {
  for (const auto& item : object.items()) {
    out << std::string(depth * 2, ' ') << plain_text(item.key(), kWhole);
    if (item.value().is_object()) {
      out << '\n';
      print_object(out, item.value(), depth + 1);
    } else {
      out << ": " << cell(item.value()) << '\n';
    }
  }
}

}  // namespace

std::string for_terminal(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    out += plain_text(std::string_view(text).substr(at, end - at), kWhole);
    if (end < text.size()) out += '\n';
    at = end + 1;
  }
  return out;
}

void print(std::ostream& out, const json& data) {
  if (data.is_array()) {
    if (data.empty()) {
      out << "none\n";
    } else if (data.front().is_object()) {
      print_table(out, data);
    } else {
      for (const auto& value : data) out << cell(value) << '\n';
    }
  } else if (data.is_object() && data.contains("lines")) {
    for (const auto& value : data["lines"]) out << cell(value) << '\n';
  } else if (data.is_object()) {
    print_object(out, data, 0);
  } else {
    out << cell(data) << '\n';
  }
}

}  // namespace welcome::ctl
