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

json status() {
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
          {"store", {{"trouble", ""}, {"errors", 0}}}};
}

TEST(Metrics, CountersGaugesAndLabelsAreWhatTheStatusSays) {
  const std::string text = metrics(status());
  for (const char* line : {
           "welcomed_info{tenant=\"demo\",store=\"aro\\\"ma\",id=\"box-1\",version=\"1.0\"} 1\n",
           "# TYPE welcomed_clock_trusted gauge\nwelcomed_clock_trusted 1\n",
           "welcomed_link_up{link=\"floor\"} 0\nwelcomed_link_up{link=\"uplink\"} 1\n",
           "# TYPE welcomed_radio_reports_total counter\nwelcomed_radio_reports_total "
           "12345678901\n",
           "welcomed_radio_running 0\n",
           "welcomed_radio_expected_per_second 208.3\n",
           "welcomed_radio_stalls_total 2\n",
           "welcomed_radio_heard_total{type=\"apple_other\"} 9\n",
           "welcomed_radio_heard_total{type=\"ibeacon\"} 7\n",
           "welcomed_camera_frames_total{camera=\"desk\"} 100\n",
           "welcomed_store_errors_total 0\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("welcomed_offers_total"))) << "the status does not have it";
}

// As the text format 0.0.4 wants it: each metric once, its help and type before its samples.
TEST(Metrics, IsWellFormed) {
  const std::regex sample(
      R"re((welcomed_[a-z0-9_]+)(\{([a-z]+="([^"\\\n]|\\.)*",?)+\})? -?[0-9.e+]+)re");
  std::set<std::string> begun;
  std::string name;
  std::istringstream in(metrics(status()));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("# HELP ")) {
      name = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(begun.insert(name).second) << name << " twice";
    } else if (line.starts_with("# TYPE ")) {
      EXPECT_THAT(line, HasSubstr(name + (name.ends_with("_total") ? " counter" : " gauge")));
    } else {
      std::smatch match;
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_EQ(match[1], name);
    }
  }
  EXPECT_GT(begun.size(), 8U);
}

TEST(Metrics, AnAnswerOfAnotherShapeIsNoMetrics) {
  EXPECT_NO_THROW(metrics(json::object()));
  EXPECT_NO_THROW(metrics({{"radio", "none"}, {"links", json::array()}, {"box", nullptr}}));
}

}  // namespace
}  // namespace welcome::ctl
