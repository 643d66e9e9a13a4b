// SPDX-License-Identifier: Apache-2.0
#include "firmware/control/metrics.h"

#include <algorithm>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <set>

#include "firmware/control/commands.h"

namespace welcome::control {
namespace {

using testing::HasSubstr;

const Field* field(std::string_view path) {
  const auto fields = command(CommandId::status).answer;
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.path == path; });
  return found == fields.end() ? nullptr : &*found;
}

// Where each reading finds what it wants.
bool suits(const Metric& metric, const Field& found) {
  switch (metric.reading) {
    case Reading::count:
    case Reading::measure:
      return found.type == Type::number &&
             (metric.reading == Reading::measure) ==
                 (found.occurs == Occurs::or_null || found.path == "crm.feed.*.items");
    case Reading::yes:
      return found.type == Type::yes_no;
    case Reading::time:
    case Reading::end:
      return found.type == Type::text && found.occurs == Occurs::or_null;
    case Reading::is:
    case Reading::state:
      return found.type == Type::text && !metric.words.empty();
    case Reading::empty:
      return found.type == Type::text;
    default:
      return true;
  }
}

TEST(MetricsTable, HasEachMetricOnceAndItsValueInTheStatus) {
  std::set<std::string> names;
  for (const Metric& metric : metrics()) {
    SCOPED_TRACE(metric.sample());
    EXPECT_TRUE(names.insert(metric.sample()).second);
    EXPECT_FALSE(metric.help.empty());
    EXPECT_EQ(metric.label.empty(), metric.path.find('*') == std::string_view::npos);
    for (const auto path :
         metric.type == MetricType::info ? metric.words : std::span(&metric.path, 1)) {
      if (metric.reading == Reading::there || metric.reading == Reading::buckets) continue;
      const Field* found = field(path);
      ASSERT_NE(found, nullptr) << path;
      EXPECT_TRUE(suits(metric, *found)) << path;
    }
  }
}

TEST(MetricsTable, HasEveryNumberOfTheStatus) {
  std::set<std::string_view> read;
  for (const Metric& metric : metrics()) read.insert(metric.path);
  for (const Field& f : command(CommandId::status).answer) {
    if (f.type != Type::number) continue;
    EXPECT_TRUE(read.contains(f.path) || f.path.starts_with("neighbours.boxes") ||
                f.path.starts_with("latency_ms.") || f.path == "crm.feed.*.seq" ||
                f.path == "clock.heard_s_ago")
        << f.path << " is a number that is no metric";
  }
}

// What OpenMetrics asks of names.
TEST(MetricsTable, SaysUnitAndKindInTheNameAsPrometheusWantsIt) {
  for (const Metric& metric : metrics()) {
    const std::string name = metric.family();
    for (const char* end : {"_total", "_info", "_count", "_sum", "_bucket", "_created"}) {
      EXPECT_FALSE(name.ends_with(end)) << name;
    }
    for (const char* part : {"milli", "_ms", "_kib", "minutes", "_hours", "_days"}) {
      EXPECT_EQ(name.find(part), std::string::npos) << name << ": seconds and bytes alone";
    }
    if (metric.reading == Reading::time || metric.reading == Reading::end) {
      EXPECT_TRUE(name.ends_with("_timestamp_seconds")) << name;
    }
  }
}

TEST(PublishedMetrics, AreWhatTheTableSays) {
  std::ifstream in(WELCOME_SOURCE_DIR "/docs/metrics.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(page, HasSubstr(markdown_metrics()))
      << "put the output of welcomectl --describe-metrics into docs/metrics.md";
}

}  // namespace
}  // namespace welcome::control
