// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/metrics.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "firmware/control/commands.h"

namespace welcome::ctl {

namespace {

using nlohmann::json;

struct Sample {
  std::string label;
  std::string value;
};

std::optional<std::string> value_of(const json& found, std::string_view is) {
  if (!is.empty()) {
    if (!found.is_string()) return std::nullopt;
    return found.get_ref<const std::string&>() == is ? "1" : "0";
  }
  if (found.is_boolean()) return found.get<bool>() ? "1" : "0";
  if (found.is_number()) return found.dump();
  return std::nullopt;
}

void collect(const json& at, std::string_view path, const control::Field& metric,
             const std::string& label, std::vector<Sample>& out) {
  if (path.empty()) {
    if (auto value = value_of(at, metric.is)) out.push_back({label, std::move(*value)});
    return;
  }
  if (!at.is_object()) return;
  const auto dot = path.find('.');
  const std::string key(path.substr(0, dot));
  const auto rest = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  if (key == "*") {
    for (const auto& item : at.items()) collect(item.value(), rest, metric, item.key(), out);
  } else if (const auto found = at.find(key); found != at.end()) {
    collect(*found, rest, metric, label, out);
  }
}

std::string escaped(std::string_view label) {
  std::string out;
  for (const char c : label) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::string metrics(const json& status) {
  std::string out;
  const auto begin = [&](const std::string& name, std::string_view help) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name);
    out.append(name.ends_with("_total") ? " counter\n" : " gauge\n");
  };
  json box = status.is_object() ? status.value("box", json()) : json();
  if (!box.is_object()) box = json::object();
  begin("welcomed_info", "The box and what runs on it");
  out += "welcomed_info{";
  for (const char* key : {"tenant", "store", "id", "version"}) {
    out += std::string(out.back() == '{' ? "" : ",") + key + "=\"" +
           escaped(box.value(key, std::string())) + "\"";
  }
  out += "} 1\n";
  for (const control::Field& metric : control::command(control::CommandId::status).answer) {
    if (metric.metric.empty()) continue;
    std::vector<Sample> samples;
    collect(status, metric.path, metric, {}, samples);
    if (samples.empty()) continue;
    const std::string name = "welcomed_" + std::string(metric.metric);
    begin(name, metric.what);
    for (const auto& sample : samples) {
      out += name;
      if (!metric.label.empty()) {
        out.append("{").append(metric.label).append("=\"").append(escaped(sample.label));
        out += "\"}";
      }
      out.append(" ").append(sample.value).append("\n");
    }
  }
  return out;
}

}  // namespace welcome::ctl
