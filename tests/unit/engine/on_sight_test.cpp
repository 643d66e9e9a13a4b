// SPDX-License-Identifier: Apache-2.0
// A box asks for the profile of who comes and whose profile it has not.

#include "firmware/engine/on_sight.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/bench_box.h"

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

TEST(OnSightTest, WhoIsNotKnownIsAskedForAndAgainAfterAnHour) {
  OnSight sight;
  const CustomerId paul("c-paul");
  const MonoTime start{};
  EXPECT_TRUE(sight.due(paul, false, false, start));
  sight.asked(paul, start);
  EXPECT_FALSE(sight.due(paul, false, true, start + 59min));
  EXPECT_TRUE(sight.due(CustomerId("c-mia"), false, false, start));
  EXPECT_TRUE(sight.due(paul, false, false, start + 1h));
}

TEST(OnSightTest, WhoIsKnownIsReportedOnceADayWhereProfilesComeOnSight) {
  OnSight sight;
  const CustomerId paul("c-paul");
  const MonoTime start{};
  EXPECT_FALSE(sight.due(paul, true, false, start)) << "every box has every profile";
  EXPECT_TRUE(sight.due(paul, true, true, start));
  sight.asked(paul, start);
  EXPECT_FALSE(sight.due(paul, true, true, start + 19h));
  EXPECT_TRUE(sight.due(paul, true, true, start + 20h));
}

class EngineOnSightTest : public testing::Test {
 protected:
  EngineOnSightTest() : box_(test::kStart) {
    box_.links_up();
    box_.feed_shop();
    // One of Paul's consents, as a guest's whose profile has not come.
    json record = test::BenchBox::shop_consents()["items"][0]["value"];
    record["customer"] = "c-guest";
    record["record_id"] = "r-guest";
    record["purpose"] = "proximity_offers";
    box_.feed_consent(std::move(record));
  }
  void comes(const std::string& customer) {
    box_.report_presence(customer);
    box_.advance(1s);
    box_.ack_all();
  }
  std::vector<std::string> wanted() {
    std::vector<std::string> out;
    for (const json& event : box_.sent("/event")) {
      if (event.at("type") != "com.welcomed.profile.wanted.v1") continue;
      EXPECT_EQ(event.at("data"), json::object()) << "nothing but that they are wanted";
      out.push_back(event.at("subject"));
    }
    return out;
  }

  test::BenchBox box_;
};

using Ids = std::vector<std::string>;

TEST_F(EngineOnSightTest, AGuestWithoutAProfileIsAskedForOnce) {
  comes("c-guest");
  EXPECT_EQ(wanted(), Ids{"c-guest"});
  box_.advance(2min);  // the encounter is over
  comes("c-guest");
  EXPECT_EQ(wanted(), Ids{"c-guest"});
}

TEST_F(EngineOnSightTest, NobodyIsAskedForWhoseProfileIsThere) {
  comes("c-paul");
  EXPECT_EQ(wanted(), Ids{});
}

TEST_F(EngineOnSightTest, WhatIsAskedForSurvivesAPulledPlug) {
  box_.link_down(LinkName::uplink);
  comes("c-guest");
  EXPECT_EQ(wanted(), Ids{});
  box_.power_cycle();
  box_.links_up();
  box_.advance(1s);
  EXPECT_EQ(wanted(), Ids{"c-guest"});
}

}  // namespace
}  // namespace welcome::daemon
