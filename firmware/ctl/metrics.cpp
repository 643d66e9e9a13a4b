// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/metrics.h"

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/rfc3339.h"
#include "firmware/control/metrics.h"
#include "firmware/control/value_at.h"

namespace welcome::ctl {

namespace {

using control::Metric;
using control::Reading;
using control::value_at;
using control::word_at;
using nlohmann::json;

std::string unix_seconds(const std::string& rfc3339) {
  const auto time = from_rfc3339(rfc3339);
  if (!time) return "NaN";
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
  const std::string ms = std::to_string((*time - seconds).count());
  return std::to_string(seconds.time_since_epoch().count()) + "." +
         std::string(3 - ms.size(), '0') + ms;
}

std::string yes_or_no(bool yes) { return yes ? "1" : "0"; }

std::string number(const json& found, const char* otherwise) {
  return found.is_number() ? found.dump() : otherwise;
}

std::string value_of(const json& found, const Metric& metric) {
  const std::string text = found.is_string() ? found.get<std::string>() : std::string();
  switch (metric.reading) {
    case Reading::count:
      return number(found, "0");
    case Reading::measure:
      return number(found, "NaN");
    case Reading::yes:
      return yes_or_no(found == json(true));
    case Reading::is:
      return yes_or_no(text == metric.words.front());
    case Reading::empty:
      return yes_or_no(found.is_string() && text.empty());
    case Reading::there:
      return yes_or_no(!found.is_null());
    case Reading::time:
      return found.is_null() ? "0" : unix_seconds(text);
    case Reading::end:
      return unix_seconds(text);
    case Reading::state:
    case Reading::buckets:
    case Reading::labels:
      break;
  }
  return "NaN";
}

// What '*' of a path stands for, and what is behind it.
std::map<std::string, json> by_key(const json& status, const Metric& metric) {
  const auto star = metric.path.find('*');
  std::map<std::string, json> out;
  if (star == std::string_view::npos) return {{"", value_at(status, metric.path)}};
  for (const auto key : metric.keys) out[std::string(key)] = json();
  const json all = value_at(status, metric.path.substr(0, star - 1));
  const auto rest =
      star + 2 < metric.path.size() ? metric.path.substr(star + 2) : std::string_view();
  if (!all.is_object()) return out;
  for (const auto& [key, value] : all.items()) out[key] = value_at(value, rest);
  return out;
}

// A family of the status.
class Family {
 public:
  Family(Exposition& out, const json& status, const Metric& metric)
      : out_(out), status_(status), metric_(metric) {}

  void write() const {
    out_.begin(metric_.type, metric_.family(), metric_.help);
    if (metric_.type == MetricType::info) return information();
    for (const auto& [key, found] : by_key(status_, metric_)) {
      MetricLabels labels;
      if (!metric_.label.empty()) labels.emplace_back(metric_.label, key);
      if (metric_.type == MetricType::states) {
        out_.states(metric_.family(), labels, {metric_.words.begin(), metric_.words.end()},
                    found.is_string() ? found.get<std::string>() : std::string());
      } else if (metric_.type == MetricType::histogram) {
        histogram(labels, found);
      } else {
        out_.sample(metric_.sample(), labels, value_of(found, metric_));
      }
    }
  }

 private:
  void information() const {
    MetricLabels labels;
    for (const auto path : metric_.words) {
      labels.emplace_back(path.substr(path.rfind('.') + 1), word_at(status_, path));
    }
    out_.sample(metric_.sample(), labels, "1");
  }

  void histogram(const MetricLabels& labels, const json& found) const {
    const json buckets = value_at(found, "buckets");
    const std::string name = metric_.sample();
    const auto bucket = [&](const std::string& upto, const std::string& count) {
      MetricLabels more = labels;
      more.emplace_back("le", upto);
      out_.sample(name + "_bucket", more, count);
    };
    std::string all = "0";
    for (const json& one : buckets.is_array() ? buckets : json::array()) {
      all = number(value_at(one, "count"), "0");
      const json upto = value_at(one, "upto_ms");
      bucket(upto.is_number() ? seconds(upto) : "+Inf", all);
    }
    if (!buckets.is_array()) bucket("+Inf", all);
    const json sum = value_at(found, "sum");
    out_.sample(name + "_sum", labels, sum.is_number() ? seconds(sum) : "0");
    out_.sample(name + "_count", labels, all);
  }

  static std::string seconds(const json& ms) { return json(ms.get<double>() / 1000).dump(); }

  Exposition& out_;
  const json& status_;
  const Metric& metric_;
};

}  // namespace

std::string metrics(const json& status, MetricsForm form) {
  Exposition out(form);
  for (const Metric& metric : control::metrics()) {
    if (status.is_object() || metric.name == "up") Family(out, status, metric).write();
  }
  return out.end();
}

}  // namespace welcome::ctl
