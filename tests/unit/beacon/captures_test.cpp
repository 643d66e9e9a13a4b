// SPDX-License-Identifier: Apache-2.0
// Real captures, where the data is at hand, against what an independent reader made of them.

#include <cstdio>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

#include "beacon/ad.h"
#include "beacon/btsnoop.h"
#include "beacon/hci_events.h"
#include "tests/unit/beacon/bytes.h"

namespace welcome::beacon {
namespace {

using nlohmann::json;
using testing::to_hex;

struct Capture {
  const char* name;
  unsigned malformed;  // payloads
};

class Captures : public ::testing::TestWithParam<Capture> {};

std::vector<json> gunzip_lines(const std::filesystem::path& file) {
  std::vector<json> lines;
  const std::string command = "gzip -dc '" + file.string() + "'";
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    if (c != '\n') {
      text += static_cast<char>(c);
      continue;
    }
    lines.push_back(json::parse(text));
    text.clear();
  }
  ::pclose(pipe);
  return lines;
}

TEST_P(Captures, GiveWhatAnIndependentReaderSees) {
  const auto data = testing::ble_data();
  if (!data) GTEST_SKIP() << "WELCOME_DATA is not set: no recorded captures";
  const std::string name = GetParam().name;
  const auto expected = gunzip_lines(*data / "captures" / "expected" / (name + ".jsonl.gz"));
  auto reader = BtsnoopReader::open(*data / "captures" / (name + ".btsnoop"));
  ASSERT_TRUE(reader);
  std::vector<AdvertReport> reports;
  std::vector<std::size_t> reports_in_event;
  HciReportCounters counters;
  CaptureRecord record;
  while (reader->next(record)) {
    const std::size_t before = reports.size();
    parse_advertising_event(record.packet, MonoTime{record.at.time_since_epoch()}, reports,
                            counters);
    reports_in_event.resize(reports.size(), reports.size() - before);
  }
  EXPECT_FALSE(reader->damage());
  ASSERT_EQ(reports.size(), expected.size());
  unsigned malformed = 0;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const AdvertReport& r = reports[i];
    const json& e = expected[i];
    std::string address = e.at("addr");
    std::erase(address, ':');
    ASSERT_EQ(to_hex(r.address) == address, true) << "report " << i;  // prints no address
    EXPECT_EQ(static_cast<int>(r.address_type), e.at("at")) << i;
    EXPECT_EQ(r.event_type, e.at("et")) << i;
    EXPECT_EQ(r.rssi_dbm, e.at("rssi")) << i;
    EXPECT_EQ(r.at.time_since_epoch().count(), e.at("t_us")) << i;
    EXPECT_EQ(reports_in_event[i], e.at("n")) << i;
    EXPECT_EQ(to_hex(r.ad.view()) == e.at("ad").get<std::string>(), true) << i;
    malformed += decode_ad(r.ad.view()).malformed ? 1 : 0;
  }
  EXPECT_EQ(malformed, GetParam().malformed);
  EXPECT_EQ(counters.malformed(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    All, Captures,
    ::testing::Values(Capture{"bertrandmartel_multi_report", 0}, Capture{"csacca_horizon", 0},
                      Capture{"mauricelam_android_ext", 0}, Capture{"nick0451_dsp408", 0},
                      Capture{"ruuvitag_hcidump2_EN", 0}, Capture{"ruuvitag_hcidump3", 0},
                      Capture{"wangdalian_cassia_malformed", 120}),
    [](const auto& capture) { return std::string(capture.param.name); });

}  // namespace
}  // namespace welcome::beacon
