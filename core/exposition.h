// SPDX-License-Identifier: Apache-2.0
#pragma once
// Metrics as text, for Prometheus. Pure, any thread.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace welcome {

// The two differ in what a counter, an information and a state are called, so that no text is both.
enum class MetricsForm : bool {
  prometheus,   // text format 0.0.4, which node_exporter's textfile collector takes
  openmetrics,  // OpenMetrics 1.0
};

// states: one of some words is 1, all others are 0; the word is a label with the name of the
// family.
enum class MetricType : unsigned char { counter, gauge, histogram, info, states };

// "counter", "gauge" …
std::string_view to_string(MetricType type);
// Under which name Prometheus finds it: with "_total" or "_info" behind the family.
std::string sample_name(MetricType type, std::string_view family);
// What the family's name ends with: "seconds", "bytes", or nothing.
std::string_view unit_of(std::string_view family);

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Exposition {
 public:
  explicit Exposition(MetricsForm form) : form_(form) {}

  // One family after the other; what gets no sample leaves nothing behind.
  void begin(MetricType type, const std::string& family, std::string_view help);
  void sample(const std::string& name, const MetricLabels& labels, std::string_view value);
  // A sample for each word.
  void states(const std::string& family, const MetricLabels& labels,
              const std::vector<std::string_view>& words, std::string_view now);
  std::string end();

 private:
  void drop_empty();

  const MetricsForm form_;
  std::string out_;
  std::size_t begun_ = 0, samples_ = 0;  // where the family and its samples begin
};

}  // namespace welcome
