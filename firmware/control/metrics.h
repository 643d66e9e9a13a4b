// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every metric of a box: name, type, help, and where in the status it comes from. `welcomectl
// metrics` writes by this table and docs/metrics.md is made from it. Pure, any thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/exposition.h"

namespace welcome::control {

// How a value of the status becomes a number. One that is not there is 0 where it counts or says
// yes or no, and NaN where it measures: a metric that is missing raises no alarm.
enum class Reading : std::uint8_t {
  count,    // a number
  measure,  // a number that may be unknown
  yes,      // yes or no
  is,       // a text: 1 when it is the first of `words`
  empty,    // a text: 1 when nothing stands there
  there,    // anything: 1 when it is there
  time,     // RFC 3339: seconds of Unix time; nothing is 0, never
  end,      // the same; nothing is NaN, there is no end
  state,    // a text, one of `words`
  buckets,  // an object as latency_ms is one
  labels,   // paths in `words`, whose last steps are the labels
};

struct Metric {
  std::string_view name;  // after "welcomed_"; without "_total" and "_info"
  MetricType type;        // a counter counts since the start of welcomed unless it says otherwise
  std::string_view help;
  std::string_view path;  // in the status; '*' is any key
  Reading reading;
  std::string_view label{};  // what '*' becomes
  std::span<const std::string_view> words{};
  std::span<const std::string_view> keys{};  // of '*' that are there from the start

  // "welcomed_…" of the family, and of what Prometheus finds it under.
  std::string family() const;
  std::string sample() const;
};

std::span<const Metric> metrics();

// The table of docs/metrics.md.
std::string markdown_metrics();

}  // namespace welcome::control
