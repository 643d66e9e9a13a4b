// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/radio_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "beacon/btsnoop.h"
#include "beacon/hci_events.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome::daemon {
namespace {

using namespace beacon::testing;
using nlohmann::json;
using testing::HasSubstr;

// The client's side of one command.
struct Client : Answer {
  void progress(std::string_view text) override { said.emplace_back(text); }
  void part(const json& part) override { parts.push_back(part); }
  void data(const json& data) override { last = data; }
  void error(std::string_view message) override { refused = message; }
  bool stopped() const override { return wants_no_more; }
  std::size_t backlog() const override { return piled_up; }

  std::string bytes() const {
    std::string all;
    for (const auto& part : parts) {
      if (part.contains("bytes")) all += *control::from_hex(part["bytes"].get<std::string>());
    }
    return all;
  }

  std::vector<std::string> said;
  std::vector<json> parts;
  std::optional<json> last;
  std::string refused;
  bool wants_no_more = false;
  std::size_t piled_up = 0;
};

class RadioDeskTest : public testing::Test {
 protected:
  RadioDeskTest() {
    tracker_.set_identities({fob("mia")}, now());
    tracker_.tick(now());
  }

  Now now() const { return now_at(t_); }

  std::shared_ptr<Client> ask(const std::string& command, const json& args = json::object()) {
    auto client = std::make_shared<Client>();
    desk_.on_request({command, args}, client, now());
    return client;
  }

  // So many seconds with ten adverts of Mia's fob and thirty of a stranger's in each.
  void run(double seconds, int rssi = -60) {
    for (long step = std::lround(seconds * 20); step > 0; --step) {
      t_ += 0.05;
      if (step % 2 == 0) hear(fob_advert(fob("mia"), rssi, now()));
      hear(stranger());
      if (step % 2 == 0) hear(stranger());
      desk_.tick(now());
    }
  }
  // Another fob of the same make.
  beacon::AdvertReport stranger() const {
    auto other = fob("nobody");
    other.static_id[19] = 0x77;
    auto report = fob_advert(other, -80, now());
    report.address[5] = 0x77;
    return report;
  }
  void hear(const beacon::AdvertReport& report) {
    tracker_.handle(report, now());
    desk_.heard(report, now());
  }

  double t_ = 100;
  beacon::Tracker tracker_;
  std::vector<std::string> noted_;
  bool can_note_ = true;
  RadioDesk desk_{{[](const CustomerId& c, beacon::IdentityKind) { return "id-of-" + c.str(); },
                   [] {
                     return json{{"source", "running"}};
                   },
                   [this](const std::string& detail) -> Result<void> {
                     if (!can_note_) return fail(ErrorCode::full, "the disk is full");
                     noted_.push_back(detail);
                     return {};
                   }},
                  tracker_};
};

std::vector<beacon::AdvertReport> reports_in(const std::string& bytes) {
  auto reader = beacon::BtsnoopReader::from(std::make_unique<std::istringstream>(bytes));
  std::vector<beacon::AdvertReport> reports;
  if (!reader) return reports;
  beacon::HciReportCounters counters;
  for (beacon::CaptureRecord record; reader->next(record);) {
    beacon::parse_advertising_event(record.packet, {}, reports, counters);
  }
  EXPECT_FALSE(reader->damage());
  return reports;
}

TEST_F(RadioDeskTest, ARecordingLeavesStrangersOutAndIsNoted) {
  const auto client = ask("radio record", {{"seconds", 5}});
  run(6);
  ASSERT_TRUE(client->last);
  EXPECT_EQ((*client->last)["ended"], "time");
  EXPECT_NEAR((*client->last)["known"].get<int>(), 50, 1);
  EXPECT_NEAR((*client->last)["strangers"].get<int>(), 150, 3);
  const auto reports = reports_in(client->bytes());
  EXPECT_EQ(client->bytes().size(), (*client->last)["bytes"]);
  EXPECT_EQ(reports.size(), (*client->last)["known"].get<std::size_t>() +
                                (*client->last)["strangers"].get<std::size_t>());
  const auto mine = fob_advert(fob("mia"), -60, now()).address;
  for (const auto& report : reports) {
    if (report.address == mine) {
      EXPECT_GT(report.ad.size(), 0U);
    } else {
      EXPECT_EQ(report.address, beacon::Address{});
      EXPECT_EQ(report.ad.size(), 0U);
      EXPECT_EQ(report.rssi_dbm, -80);
    }
  }
  ASSERT_EQ(noted_.size(), 2U);
  EXPECT_EQ(noted_[0], "recording begins, strangers left out");
  EXPECT_EQ(noted_[1], "recording ended, " + std::to_string(reports.size()) + " adverts");
}

TEST_F(RadioDeskTest, StrangersAreRecordedOnlyWhenAskedForAndThatIsNotedToo) {
  const auto client = ask("radio record", {{"seconds", 1}, {"with_strangers", true}});
  run(2);
  for (const auto& report : reports_in(client->bytes())) EXPECT_GT(report.ad.size(), 0U);
  EXPECT_THAT(noted_.at(0), HasSubstr("WITH strangers"));
}

TEST_F(RadioDeskTest, AnEndThatCannotBeNotedIsSaid) {
  const auto client = ask("radio record", {{"seconds", 1}});
  can_note_ = false;
  run(2);
  EXPECT_FALSE(client->last);
  EXPECT_THAT(client->refused, HasSubstr("could not take its end: the disk is full"));
  EXPECT_FALSE(reports_in(client->bytes()).empty());
}

TEST_F(RadioDeskTest, WhatCannotBeNotedIsNotRecorded) {
  can_note_ = false;
  const auto client = ask("radio record", {{"with_strangers", true}});
  EXPECT_EQ(client->refused, "the disk is full");
  run(1);
  EXPECT_TRUE(client->parts.empty());
}

TEST_F(RadioDeskTest, ARecordingEndsWhenStoppedWhenFullAndWhenNobodyTakesIt) {
  const auto stopped = ask("radio record");
  const auto full = ask("radio record", {{"max_bytes", 3000}});
  const auto stuck = ask("radio record");
  run(1);
  EXPECT_FALSE(stopped->last);
  stopped->wants_no_more = true;
  stuck->piled_up = 100'000'000;
  run(2);
  ASSERT_TRUE(stopped->last && full->last && stuck->last);
  EXPECT_EQ((*stopped->last)["ended"], "stopped");
  EXPECT_EQ((*full->last)["ended"], "size");
  EXPECT_LT((*full->last)["bytes"].get<int>(), 3500);
  EXPECT_EQ((*stuck->last)["ended"], "too slow");
}

TEST_F(RadioDeskTest, APowerThatCannotBeIsHintedAt) {
  const auto client = ask("radio watch", {{"seconds", 1}});
  for (int i = 0; i < 30; ++i) {
    t_ += 0.05;
    hear(fob_advert(fob("mia"), -62, now(), -3));
    desk_.tick(now());
  }
  ASSERT_FALSE(client->parts.empty());
  EXPECT_THAT(client->parts[0]["identities"][0]["hint"].get<std::string>(),
              HasSubstr("measured_power_1m_dbm (-59 is usual)"));
}

TEST_F(RadioDeskTest, TheTableShowsOwnIdentitiesByTheirIdAndStrangersAsCounts) {
  const auto client = ask("radio watch", {{"seconds", 4}});
  run(5);
  ASSERT_GE(client->parts.size(), 3U);
  const json& table = client->parts[2];
  EXPECT_EQ(table["radio"]["source"], "running");
  EXPECT_NEAR(table["adverts_per_second"].get<double>(), 40, 3);
  EXPECT_NEAR(table["strangers_per_second"].get<double>(), 30, 3);
  EXPECT_NEAR(table["by_type"]["ibeacon"].get<double>(), 40, 3);
  ASSERT_EQ(table["identities"].size(), 1U);
  const json& mia = table["identities"][0];
  EXPECT_EQ(mia["identity"], "id-of-mia");
  EXPECT_EQ(mia["kind"], "ibeacon");
  EXPECT_EQ(mia["rssi_dbm"], -60);
  EXPECT_NEAR(mia["per_second"].get<double>(), 10, 1);
  EXPECT_EQ(mia["fast"], "desk");
  EXPECT_EQ(mia["distance"], "near");
  EXPECT_TRUE(client->last) << "it ends by itself";
  EXPECT_TRUE(noted_.empty());
}

TEST_F(RadioDeskTest, ALevelThatWasNotMeasuredIsUnknown) {
  const auto client = ask("radio watch", {{"seconds", 6}});
  run(3);
  EXPECT_EQ(client->parts.back()["identities"][0]["rssi_dbm"], -60);
  run(3, beacon::kNoRssi);
  EXPECT_TRUE(client->parts.back()["identities"][0]["rssi_dbm"].is_null());
}

TEST_F(RadioDeskTest, WhoIsNotHeardAnyMoreLeavesTheTable) {
  const auto client = ask("radio watch");
  run(2);
  for (int i = 0; i < 90; ++i) {
    t_ += 1;
    tracker_.tick(now());
    desk_.tick(now());
  }
  EXPECT_TRUE(client->parts.back()["identities"].empty());
  EXPECT_EQ(client->parts.back()["customers_near"], 0);
}

TEST_F(RadioDeskTest, AWalkTestEndsInThresholds) {
  json places = json::array();
  int rssi = -60;
  for (const char* zone : {"desk", "inside", "door", "street"}) {
    const auto sample = ask("radio sample", {{"seconds", 12}});
    run(12.5, rssi);
    ASSERT_TRUE(sample->last);
    ASSERT_EQ((*sample->last)["heard"].size(), 1U) << "strangers are no part of it";
    const json& mia = (*sample->last)["heard"][0];
    EXPECT_EQ(mia["identity"], "id-of-mia");
    EXPECT_GE(mia["levels_db"].size(), 12U);
    EXPECT_GE(sample->said.size(), 11U);
    places.push_back({{"zone", zone}, {"levels_db", mia["levels_db"]}});
    rssi -= 8;
  }
  const auto answer = ask("radio thresholds", {{"places", places}});
  ASSERT_TRUE(answer->last) << answer->refused;
  const json& borders = (*answer->last)["borders"];
  ASSERT_EQ(borders.size(), 4U);
  EXPECT_EQ(borders[0]["zone"], "desk");
  EXPECT_LT(borders[0]["metres"], borders[1]["metres"]);
  EXPECT_LT(borders[2]["metres"], borders[3]["metres"]);
}

TEST_F(RadioDeskTest, RefusesWhatItDoesNotUnderstand) {
  EXPECT_FALSE(ask("radio record", {{"seconds", "ten"}})->refused.empty());
  EXPECT_FALSE(ask("radio record", {{"max_bytes", -1}})->refused.empty());
  EXPECT_FALSE(ask("radio watch", {{"seconds", 99'999'999}})->refused.empty());
  EXPECT_FALSE(ask("radio dance")->refused.empty());
  EXPECT_FALSE(ask("radio thresholds")->refused.empty());
  EXPECT_FALSE(ask("radio thresholds", {{"places", {{{"zone", "moon"}}}}})->refused.empty());
  EXPECT_FALSE(ask("radio thresholds", {{"places", {1, 2}}})->refused.empty());
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ask("radio watch")->refused.empty());
  EXPECT_THAT(ask("radio watch")->refused, HasSubstr("too many"));
}

}  // namespace
}  // namespace welcome::daemon
