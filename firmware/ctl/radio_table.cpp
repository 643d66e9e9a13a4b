// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/radio_table.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace welcome::ctl {

namespace {

using nlohmann::json;

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string rssi(const json& identity) {
  const std::string level = text(identity, "rssi_dbm");
  return level == "-" ? "unknown" : level;
}

std::string health(const json& table) {
  const json radio = table.value("radio", json::object());
  std::string out = text(radio, "source");
  if (const auto why = text(radio, "detail"); why != "-" && !why.empty()) out += " (" + why + ")";
  if (radio.value("expected_per_second", 0.0) > 0) {
    out += ", " + text(radio, "expected_per_second") + "/s expected";
  }
  if (radio.value("advertising", false)) out += ", advertising";
  if (const auto scan = text(radio, "scan"); scan != "-" && !scan.empty()) out += ", " + scan;
  static constexpr std::array<std::pair<const char*, const char*>, 9> kTroubles{{
      {"restarts", "restarts"},
      {"stalls", "stalls"},
      {"command_timeouts", "time-outs"},
      {"hardware_errors", "hardware errors"},
      {"commands_refused", "refusals"},
      {"malformed", "malformed"},
      {"line_losses", "losses on the line"},
      {"empty", "empty reports"},
      {"lost_parts", "adverts without their end"},
  }};
  std::string troubles;
  for (const auto& [key, word] : kTroubles) {
    if (const auto n = radio.value(key, 0); n > 0) {
      troubles += (troubles.empty() ? "" : ", ") + std::to_string(n) + " " + word;
    }
  }
  return out + "; " + (troubles.empty() ? "no trouble" : troubles);
}

std::string adverts(const json& table) {
  return text(table, "adverts_per_second") + "/s, of strangers " +
         text(table, "strangers_per_second") + "/s";
}

constexpr std::array<std::pair<const char*, const char*>, 9> kColumns{{
    {"identity", "identity"},
    {"kind", "kind"},
    {"customer", "customer"},
    {"per_second", "per s"},
    {"rssi_dbm", "RSSI"},
    {"fast", "fast"},
    {"settled", "settled"},
    {"distance", "distance"},
    {"heard_s", "s ago"},
}};
constexpr std::size_t kWidest = 28;

}  // namespace

std::string radio_line(const json& table) {
  std::ostringstream out;
  out << "radio " << health(table) << "; adverts " << adverts(table);
  for (const auto& identity : table.value("identities", json::array())) {
    out << "; " << text(identity, "identity") << " RSSI " << rssi(identity) << " "
        << text(identity, "fast") << "/" << text(identity, "settled");
  }
  return out.str();
}

std::string radio_table(const json& table, std::size_t columns, std::size_t rows) {
  std::vector<std::string> lines{"radio    " + health(table), "adverts  " + adverts(table)};
  std::vector<std::pair<double, std::string>> types;
  const json by_type = table.value("by_type", json::object());
  for (const auto& type : by_type.items()) {
    types.emplace_back(-type.value().get<double>(), type.key());
  }
  std::sort(types.begin(), types.end());
  std::string kinds = "         ";
  for (const auto& [rate, type] : types) {
    kinds += (kinds.back() == ' ' ? "" : ", ") + type + " " + text(by_type, type.c_str());
  }
  lines.push_back(kinds);
  lines.emplace_back();

  std::vector<std::array<std::string, kColumns.size()>> cells(1);
  for (std::size_t c = 0; c < kColumns.size(); ++c) cells[0][c] = kColumns[c].second;
  const json identities = table.value("identities", json::array());
  for (const auto& identity : identities) {
    auto& row = cells.emplace_back();
    for (std::size_t c = 0; c < kColumns.size(); ++c) {
      const char* key = kColumns[c].first;
      const bool level = std::string_view(key) == "rssi_dbm";
      row[c] = (level ? rssi(identity) : text(identity, key)).substr(0, kWidest);
    }
  }
  std::array<std::size_t, kColumns.size()> widths{};
  for (const auto& row : cells) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  for (const auto& row : cells) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      line += row[c] + std::string(widths[c] - row[c].size() + 2, ' ');
    }
    lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
  }
  if (identities.empty()) lines.emplace_back("nobody known is heard");
  for (const auto& identity : identities) {
    if (!identity.contains("hint")) continue;
    lines.push_back(text(identity, "identity") + " " + text(identity, "hint"));
  }
  if (lines.size() > rows && rows > 1) {
    const std::size_t left_out = lines.size() - rows + 1;
    lines.resize(rows - 1);
    lines.push_back("… " + std::to_string(left_out) + " more");
  }
  std::string out;
  for (const auto& line : lines) out += line.substr(0, columns) + "\n";
  return out;
}

}  // namespace welcome::ctl
