// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "tests/unit/ctl/clock_sample.h"

namespace welcome::ctl {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json box_status() {
  return {{"box", {{"tenant", "demo"}, {"store", "aro\"ma"}, {"id", "box-1"}, {"version", "1.0"}}},
          {"clock", clock_sample()},
          {"links", {{"uplink", {{"state", "up"}}}, {"floor", {{"state", "down"}}}}},
          {"radio",
           {{"source", "recovering"},
            {"reports", 12345678901},
            {"expected_per_second", 208.3},
            {"stalls", 2},
            {"heard", {{"ibeacon", 7}, {"apple_other", 9}}}}},
          {"cameras", {{"desk", {{"frames", 100}, {"health", "black"}}}}},
          {"lights", {{"radio", {{"lamp", "red"}, {"what", "recovering"}}}}},
          {"latency_ms",
           {{"sum", 12500},
            {"buckets",
             {{{"upto_ms", 5}, {"count", 1}},
              {{"upto_ms", 1000}, {"count", 3}},
              {{"upto_ms", nullptr}, {"count", 4}}}}}},
          {"store", {{"trouble", ""}, {"errors", 0}}}};
}

TEST(Metrics, AreWhatTheStatusSays) {
  const std::string text = metrics(box_status(), MetricsForm::prometheus);
  for (const char* line : {
           "# TYPE welcomed_info gauge\n",
           "welcomed_info{tenant=\"demo\",store=\"aro\\\"ma\",id=\"box-1\",version=\"1.0\",pack="
           "\"\"} 1\n",
           "\nwelcomed_up 1\n",
           "\nwelcomed_clock_trusted 1\n",
           "\nwelcomed_clock_heard_timestamp_seconds 1777881560.250\n",
           "welcomed_link_up{link=\"floor\"} 0\nwelcomed_link_up{link=\"uplink\"} 1\n",
           "# TYPE welcomed_radio_reports_total counter\n",
           "\nwelcomed_radio_reports_total 12345678901\n",
           "\nwelcomed_radio_configured 1\n",
           "\nwelcomed_radio_running 0\n",
           "\nwelcomed_radio_expected_per_second 208.3\n",
           "\nwelcomed_radio_stalls_total 2\n",
           "welcomed_radio_heard_total{type=\"apple_other\"} 9\n",
           "welcomed_radio_heard_total{type=\"ibeacon\"} 7\n",
           "welcomed_camera_frames_total{camera=\"desk\"} 100\n",
           "# TYPE welcomed_camera_health gauge\n",
           "welcomed_camera_health{camera=\"desk\",welcomed_camera_health=\"black\"} 1\n",
           "welcomed_camera_health{camera=\"desk\",welcomed_camera_health=\"ok\"} 0\n",
           "welcomed_light{light=\"radio\",welcomed_light=\"red\"} 1\n",
           "\nwelcomed_store_writable 1\n",
           "\nwelcomed_store_errors_total 0\n",
           "# TYPE welcomed_delivery_seconds histogram\n",
           "welcomed_delivery_seconds_bucket{le=\"0.005\"} 1\n"
           "welcomed_delivery_seconds_bucket{le=\"1.0\"} 3\n"
           "welcomed_delivery_seconds_bucket{le=\"+Inf\"} 4\n"
           "welcomed_delivery_seconds_sum 12.5\nwelcomed_delivery_seconds_count 4\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("# EOF")));
}

// A metric that is missing raises no alarm: what the status does not have stands there all the
// same.
TEST(Metrics, OfWhatIsNotThereAreThereToo) {
  const std::string text = metrics({{"box", json::object()}}, MetricsForm::prometheus);
  for (const char* line : {
           "\nwelcomed_radio_configured 0\n",
           "\nwelcomed_radio_running 0\n",
           "\nwelcomed_radio_stalls_total 0\n",
           "\nwelcomed_link_up{link=\"uplink\"} 0\n",
           "\nwelcomed_clock_heard_timestamp_seconds 0\n",
           "\nwelcomed_crm_heard_timestamp_seconds 0\n",
           "\nwelcomed_certificate_end_timestamp_seconds NaN\n",
           "\nwelcomed_outbox_uplink NaN\n",
           "\nwelcomed_feed_items{collection=\"consents\"} NaN\n",
           "\nwelcomed_store_writable 0\n",
           "welcomed_messages_in_refused_total{why=\"refused\"} 0\n",
           "welcomed_light{light=\"store\",welcomed_light=\"red\"} 0\n",
           "welcomed_delivery_seconds_count 0\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, OfABoxThatIsAwayAreThatItIs) {
  EXPECT_THAT(metrics(json(), MetricsForm::prometheus), testing::EndsWith("\nwelcomed_up 0\n"));
  EXPECT_THAT(metrics(json(), MetricsForm::openmetrics),
              testing::EndsWith("\nwelcomed_up 0\n# EOF\n"));
}

TEST(Metrics, AsOpenMetricsHaveFamiliesTypesAndUnitsOfTheirOwn) {
  const std::string text = metrics(box_status(), MetricsForm::openmetrics);
  for (const char* line : {
           "# TYPE welcomed info\n",
           "# TYPE welcomed_radio_reports counter\n",
           "# TYPE welcomed_light stateset\n",
           "# TYPE welcomed_delivery_seconds histogram\n# UNIT welcomed_delivery_seconds seconds\n",
           "# UNIT welcomed_store_bytes bytes\n",
           "\nwelcomed_radio_reports_total 12345678901\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, testing::EndsWith("\n# EOF\n"));
}

// Each family once, its type and help before its samples.
TEST(Metrics, AreWellFormed) {
  const std::regex sample(
      R"re((welcomed_[a-z0-9_]+)(\{([a-z_]+="([^"\\\n]|\\.)*",?)+\})? (-?[0-9.e+]+|NaN))re");
  std::set<std::string> begun;
  std::string name;
  std::istringstream in(metrics(box_status(), MetricsForm::prometheus));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("# TYPE ")) {
      name = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(begun.insert(name).second) << name << " twice";
    } else if (line.starts_with("# HELP ")) {
      EXPECT_TRUE(line.starts_with("# HELP " + name + " ")) << line;
    } else {
      std::smatch match;
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_THAT(match[1], testing::StartsWith(name));
    }
  }
  EXPECT_GT(begun.size(), 80U);
}

TEST(Metrics, OfAnAnswerOfAnotherShapeAreNoTrap) {
  EXPECT_NO_THROW(metrics(json::object(), MetricsForm::prometheus));
  EXPECT_NO_THROW(
      metrics({{"radio", "none"}, {"links", json::array()}, {"box", nullptr}, {"latency_ms", 7}},
              MetricsForm::prometheus));
}

}  // namespace
}  // namespace welcome::ctl
