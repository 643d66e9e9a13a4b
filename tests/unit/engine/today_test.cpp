// SPDX-License-Identifier: Apache-2.0
// The numbers of the day: what counts, whose day it is, and after a restart.

#include "firmware/engine/today.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/store_clock.h"
#include "harness/bench_box.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

class TheDay : public testing::Test {
 protected:
  TheDay() : box_(test::kStart) {
    box_.links_up();
    box_.feed_shop();
    box_.feed_staff({"eva"}, {{"eva", "lead"}});
  }

  json today() {
    if (sign_in_.empty()) sign_in_ = box_.sign_in("eva");
    box_.tablet_says("manage", {{"kind", "today"}, {"sign_in", sign_in_}});
    return box_.sent("floor/to/tablet-1/managed").back()["today"];
  }
  // Paul, who lets his visits be counted, comes in; his visit.
  std::string paul() {
    box_.report_presence("c-paul");
    box_.advance(1s);
    return box_.sent("floor/prompt/").back()["visit"];
  }
  // He goes on being here.
  void stays(std::chrono::seconds time) {
    for (const auto end = box_.now().mono + time; box_.now().mono < end;) {
      box_.report_presence("c-paul");
      box_.advance(2s);
    }
  }
  void act(const std::string& visit, const std::string& kind) {
    if (sign_in_.empty()) sign_in_ = box_.sign_in("eva");
    box_.tablet_says("action/" + visit, {{"visit", visit}, {"sign_in", sign_in_}, {"kind", kind}});
  }

  test::BenchBox box_;
  std::string sign_in_;
};

TEST_F(TheDay, CountsWhoCameAndWhatWasDoneForThem) {
  EXPECT_EQ(today()["arrivals"], 0);
  const std::string visit = paul();
  EXPECT_EQ(today()["arrivals"], 1);
  EXPECT_EQ(today()["greeted"], 0);
  stays(20s);
  act(visit, "greeted");
  EXPECT_EQ(today()["greeted"], 1);
  EXPECT_EQ(today()["greeted_at_once"], 1);
  act(visit, "served");
  EXPECT_EQ(today()["served"], 1);
  const json before = today();
  box_.power_cycle();
  box_.links_up();
  EXPECT_EQ(today(), before) << "a restart loses nothing";
}

TEST_F(TheDay, WhatWasTappedByMistakeDoesNotCount) {
  const std::string visit = paul();
  act(visit, "greeted");
  act(visit, "reopen");
  EXPECT_EQ(today()["greeted"], 0);
  stays(70s);
  act(visit, "greeted");
  EXPECT_EQ(today()["greeted"], 1);
  EXPECT_EQ(today()["greeted_at_once"], 0) << "more than a minute after they came in";
}

// Off: your visits are in no statistic.
TEST_F(TheDay, WhoseVisitsAreNotToBeCountedAreInNoNumber) {
  box_.feed_an_offer();
  box_.hear_mia_for(3s);
  EXPECT_EQ(today()["arrivals"], 0);
  EXPECT_EQ(today()["why_not"], json::object());
  paul();
  EXPECT_EQ(today()["arrivals"], 1);
  box_.feed_step_of_consent("c-paul", "visit_analytics", "withdrawn");
  EXPECT_EQ(today()["arrivals"], 0);
}

TEST_F(TheDay, AnOfferCountsOnceItWentAndWithWhatCameOfIt) {
  box_.feed_an_offer();
  box_.hear_mia_for(3s);
  EXPECT_EQ(today()["offers"], 1);
  EXPECT_EQ(today()["opened"], 0);
  const auto offers = box_.events("decision.offer");
  ASSERT_EQ(offers.size(), 1U);
  for (const char* id : {"cmd-1", "cmd-2"}) {  // said twice, counted once
    box_.inbound(LinkName::uplink, test::box_prefix + "command",
                 json{{"v", 1},
                      {"id", id},
                      {"kind", "outcome"},
                      {"customer", "c-mia"},
                      {"decision", offers[0]["id"]},
                      {"outcome", "redeemed"},
                      {"at", contract::to_rfc3339(box_.now().wall)}}
                     .dump());
  }
  EXPECT_EQ(today()["redeemed"], 1);
  EXPECT_EQ(today()["opened"], 1);
}

TEST_F(TheDay, SaysWhatIsTried) {
  const json experiments = today()["experiments"];
  ASSERT_EQ(experiments.size(), 1U);
  EXPECT_EQ(experiments[0]["campaign"], "k-espresso");
  EXPECT_EQ(experiments[0]["variants"].size(), 2U);
}

// Berlin, in summer: midnight there is ten in the evening of the day before.
TEST_F(TheDay, BeginsAtTheStoresOwnMidnight) {
  EXPECT_EQ(today()["since"], "2026-05-03T22:00:00.000Z");
  paul();
  EXPECT_EQ(today()["arrivals"], 1);
  box_.skip(13h);  // 21:00 UTC
  sign_in_.clear();
  EXPECT_EQ(today()["arrivals"], 1);
  box_.skip(2h);
  sign_in_.clear();
  EXPECT_EQ(today()["since"], "2026-05-04T22:00:00.000Z");
  EXPECT_EQ(today()["arrivals"], 0);
}

TEST_F(TheDay, NamesNobody) {
  paul();
  box_.feed_an_offer();
  box_.hear_mia_for(3s);
  const std::string text = today().dump();
  for (const char* who : {"c-paul", "c-mia", "Paul", "Mia"}) {
    EXPECT_EQ(text.find(who), std::string::npos) << who;
  }
}

// The day on which the clock is put on, or back, begins at its midnight, too.
TEST(StartOfDay, IsRightWhenTheClockWasChanged) {
  using std::chrono::sys_days;
  const auto berlin = *StoreClock::open("Europe/Berlin");
  const auto at = [](int month, int day, std::chrono::hours hour) {
    return WallTime(sys_days(std::chrono::year(2026) / month / day) + hour);
  };
  EXPECT_EQ(daemon::start_of_day(berlin, at(3, 29, 10h)), at(3, 28, 23h));
  EXPECT_EQ(daemon::start_of_day(berlin, at(10, 25, 10h)), at(10, 24, 22h));
  EXPECT_EQ(daemon::start_of_day(berlin, at(10, 25, 0h)), at(10, 24, 22h));
  EXPECT_EQ(daemon::start_of_day(StoreClock(), at(6, 1, 0h)), at(6, 1, 0h));
}

}  // namespace
}  // namespace welcome
