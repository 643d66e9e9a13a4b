// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/metrics.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "firmware/control/metrics.h"
#include "firmware/control/value_at.h"

namespace welcome::ctl {

namespace {

using control::Metric;
using control::MetricType;
using control::Reading;
using control::value_at;
using nlohmann::json;

using Labels = std::vector<std::pair<std::string, std::string>>;

// "2026-11-21T09:30:00.120Z", as the daemon writes it.
std::string unix_seconds(const std::string& time) {
  std::tm at{};
  std::array<char, 5> fraction{".000"};
  const int read =
      std::sscanf(time.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%4[.0-9]", &at.tm_year, &at.tm_mon,
                  &at.tm_mday, &at.tm_hour, &at.tm_min, &at.tm_sec, fraction.data());
  if (read < 6) return "NaN";
  at.tm_year -= 1900;
  at.tm_mon -= 1;
  return std::to_string(::timegm(&at)) + (read == 7 ? fraction.data() : "");
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

class Text {
 public:
  Text(const json& status, MetricsForm form) : status_(status), form_(form) {}

  void add(const Metric& metric) {
    const std::size_t before = out_.size();
    begin(metric);
    const std::size_t samples = out_.size();
    if (metric.type == MetricType::info) information(metric);
    if (metric.type != MetricType::info) by_keys(metric);
    if (out_.size() == samples) out_.resize(before);  // no camera
  }

  std::string end() {
    if (form_ == MetricsForm::openmetrics) out_ += "# EOF\n";
    return std::move(out_);
  }

 private:
  std::string_view type_word(MetricType type) const {
    const bool open = form_ == MetricsForm::openmetrics;
    switch (type) {
      case MetricType::counter:
        return "counter";
      case MetricType::histogram:
        return "histogram";
      case MetricType::info:
        return open ? "info" : "gauge";
      case MetricType::states:
        return open ? "stateset" : "gauge";
      case MetricType::gauge:
        break;
    }
    return "gauge";
  }

  void begin(const Metric& metric) {
    const bool open = form_ == MetricsForm::openmetrics;
    const std::string name = open ? metric.family() : metric.sample();
    const auto line = [&](const char* what, std::string_view value) {
      out_.append("# ").append(what).append(" ").append(name).append(" ").append(value).append(
          "\n");
    };
    line("TYPE", type_word(metric.type));
    if (open && !metric.unit().empty()) line("UNIT", metric.unit());
    line("HELP", metric.help);
  }

  void by_keys(const Metric& metric) {
    for (const auto& [key, found] : by_key(status_, metric)) {
      Labels labels;
      if (!metric.label.empty()) labels.emplace_back(metric.label, key);
      if (metric.type == MetricType::states) {
        states(metric, labels, found);
      } else if (metric.type == MetricType::histogram) {
        histogram(metric, labels, found);
      } else {
        sample(metric.sample(), labels, value_of(found, metric));
      }
    }
  }

  void information(const Metric& metric) {
    Labels labels;
    for (const auto path : metric.words) {
      const json found = value_at(status_, path);
      labels.emplace_back(path.substr(path.rfind('.') + 1),
                          found.is_string() ? found.get<std::string>() : std::string());
    }
    sample(metric.sample(), labels, "1");
  }

  void states(const Metric& metric, const Labels& labels, const json& found) {
    for (const auto word : metric.words) {
      Labels more = labels;
      more.emplace_back(metric.family(), word);
      sample(metric.sample(), more, yes_or_no(found == json(word)));
    }
  }

  void histogram(const Metric& metric, const Labels& labels, const json& found) {
    const json buckets = value_at(found, "buckets");
    const std::string name = metric.sample();
    std::string all = "0";
    if (buckets.is_array()) {
      for (const json& bucket : buckets) {
        const json upto = value_at(bucket, "upto_ms");
        all = number(value_at(bucket, "count"), "0");
        Labels more = labels;
        more.emplace_back("le", upto.is_number() ? json(upto.get<double>() / 1000).dump() : "+Inf");
        sample(name + "_bucket", more, all);
      }
    } else {
      sample(name + "_bucket", {{"le", "+Inf"}}, all);
    }
    const json sum = value_at(found, "sum");
    sample(name + "_sum", labels, sum.is_number() ? json(sum.get<double>() / 1000).dump() : "0");
    sample(name + "_count", labels, all);
  }

  void sample(const std::string& name, const Labels& labels, const std::string& value) {
    out_ += name;
    for (const auto& [label, text] : labels) {
      out_ += &label == &labels.front().first ? "{" : ",";
      out_ += label + "=\"";
      for (const char c : text) {
        if (c == '\\' || c == '"') out_ += '\\';
        out_ += c == '\n' ? std::string("\\n") : std::string(1, c);
      }
      out_ += '"';
    }
    if (!labels.empty()) out_ += '}';
    out_ += " " + value + "\n";
  }

  const json& status_;
  const MetricsForm form_;
  std::string out_;
};

}  // namespace

std::string metrics(const json& status, MetricsForm form) {
  Text text(status, form);
  for (const Metric& metric : control::metrics()) {
    if (status.is_object() || metric.name == "up") text.add(metric);
  }
  return text.end();
}

}  // namespace welcome::ctl
