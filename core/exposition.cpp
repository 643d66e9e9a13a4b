// SPDX-License-Identifier: Apache-2.0
#include "core/exposition.h"

namespace welcome {

namespace {

std::string_view type_word(MetricType type, MetricsForm form) {
  const bool open = form == MetricsForm::openmetrics;
  if (type == MetricType::info) return open ? "info" : "gauge";
  if (type == MetricType::states) return open ? "stateset" : "gauge";
  return to_string(type);
}

}  // namespace

std::string_view to_string(MetricType type) {
  constexpr std::string_view kWords[] = {"counter", "gauge", "histogram", "info", "states"};
  return kWords[static_cast<std::size_t>(type)];
}

std::string sample_name(MetricType type, std::string_view family) {
  std::string out(family);
  if (type == MetricType::counter) out += "_total";
  if (type == MetricType::info) out += "_info";
  return out;
}

std::string_view unit_of(std::string_view family) {
  for (const std::string_view unit : {"seconds", "bytes"}) {
    if (family.ends_with("_" + std::string(unit))) return unit;
  }
  return {};
}

void Exposition::begin(MetricType type, const std::string& family, std::string_view help) {
  drop_empty();
  begun_ = out_.size();
  const bool open = form_ == MetricsForm::openmetrics;
  const std::string name = open ? family : sample_name(type, family);
  const auto line = [&](const char* what, std::string_view value) {
    out_.append("# ").append(what).append(" ").append(name).append(" ").append(value).append("\n");
  };
  line("TYPE", type_word(type, form_));
  if (open && !unit_of(family).empty()) line("UNIT", unit_of(family));
  line("HELP", help);
  samples_ = out_.size();
}

void Exposition::sample(const std::string& name, const MetricLabels& labels,
                        std::string_view value) {
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
  out_.append(" ").append(value).append("\n");
}

void Exposition::states(const std::string& family, const MetricLabels& labels,
                        const std::vector<std::string_view>& words, std::string_view now) {
  for (const auto word : words) {
    MetricLabels more = labels;
    more.emplace_back(family, word);
    sample(family, more, word == now ? "1" : "0");
  }
}

std::string Exposition::end() {
  drop_empty();
  if (form_ == MetricsForm::openmetrics) out_ += "# EOF\n";
  return std::move(out_);
}

void Exposition::drop_empty() {
  if (out_.size() == samples_) out_.resize(begun_);
}

}  // namespace welcome
