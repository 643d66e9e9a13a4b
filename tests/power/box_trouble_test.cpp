// SPDX-License-Identifier: Apache-2.0
// The whole box when its ground gives way: a disk that takes nothing, a database that is damaged, a
// CRM that is silent, a clock that is not set or set back.

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/bench_box.h"
#include "tests/power/power_vfs.h"

namespace welcome::test {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

class BoxTrouble : public testing::Test {
 protected:
  BoxTrouble() : box_(kStart, {vfs_.name(), {}}) { box_.links_up(); }

  json status() { return box_.engine().status(box_.now()); }
  std::string footing() { return status()["consents"]["footing"]; }
  bool in_trouble() { return status()["store"]["trouble"] != ""; }

  json tablet() { return box_.sent("floor/status").back()["trouble"]; }
  // Those that ask for something.
  std::size_t hellos() {
    const auto all = box_.sent("/hello");
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [](const json& hello) { return !hello.value("confirms", false); }));
  }
  std::vector<json> health() { return box_.events("health"); }

  bool mia_is_here() {
    const json visits = box_.engine().visits();
    return std::any_of(visits.begin(), visits.end(), [](const json& v) {
      return v["customer"] == "c-mia" && v["ended"].is_null();
    });
  }

  PowerVfs vfs_{"box-trouble"};
  BenchBox box_;
};

TEST_F(BoxTrouble, AFullDiskStopsDecisionsIsSaidAndHealsByItself) {
  box_.feed_shop();
  vfs_.full_from(vfs_.operations());
  const auto before = hellos();
  box_.hear_mia_for(3s);
  EXPECT_TRUE(in_trouble());
  EXPECT_EQ(tablet(), json::array({"store"}));
  EXPECT_GT(status()["store"]["held_back"], 0);
  EXPECT_TRUE(box_.sent("/event").empty()) << "nothing is sent that is not stored";

  vfs_.full_from(-1);
  box_.advance(2s);
  EXPECT_FALSE(in_trouble());
  EXPECT_EQ(tablet(), json::array());
  EXPECT_EQ(hellos(), before + 1) << "the CRM may have spoken meanwhile";
  ASSERT_EQ(health().size(), 1U);
  EXPECT_EQ(health()[0]["data"]["part"], "store");
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, APresenceThatTheAppReportsWaitsForTheDiskToo) {
  box_.feed_shop();
  vfs_.full_from(vfs_.operations());
  box_.hear_mia_for(3s);
  ASSERT_TRUE(in_trouble());
  const auto held = status()["store"]["held_back"].get<int>();
  box_.report_presence("c-paul");
  EXPECT_GT(status()["store"]["held_back"].get<int>(), held);
  for (const json& visit : box_.engine().visits()) EXPECT_NE(visit["customer"], "c-paul");
}

TEST_F(BoxTrouble, AWithdrawalOnAFullDiskHoldsAtOnceAndAfterTheNextStart) {
  box_.feed_shop();
  box_.hear_mia_for(3s);
  ASSERT_TRUE(mia_is_here());
  vfs_.full_from(vfs_.operations());
  box_.feed_step_of_consent("c-mia", "proximity_offers", "withdrawn");
  EXPECT_TRUE(in_trouble());
  EXPECT_FALSE(mia_is_here());
  vfs_.full_from(-1);
  box_.advance(2s);
  EXPECT_FALSE(in_trouble());
  EXPECT_TRUE(box_.store().journal().states(StateRow::Kind::recording)->empty())
      << "what was recorded of her is unreadable, too";
  // The line drops before the CRM could send the record again.
  box_.power_cycle();
  box_.hear_mia_for(3s);
  EXPECT_FALSE(mia_is_here());
  EXPECT_EQ(status()["radio"]["identified"], 0);
}

TEST_F(BoxTrouble, ADamagedDatabaseIsSetAsideAndNobodyConsentsUntilTheCrmHasSpoken) {
  box_.feed_shop();
  box_.erase("c-paul", "00000000-0000-4000-8000-0000000000e1");
  box_.power_off();
  {
    std::fstream file(box_.dir() / "welcomed.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(3 * 4096, '\xA5');
  }
  box_.power_on();
  box_.world().sent.clear();
  box_.links_up();
  EXPECT_TRUE(box_.sent("/hello")[0]["have"].empty());
  box_.hear_mia_for(2s);
  EXPECT_FALSE(mia_is_here());
  box_.feed_shop();
  ASSERT_EQ(health().size(), 1U);
  EXPECT_EQ(health()[0]["data"]["state"], "failed");
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
  const auto paul = box_.engine().export_person(CustomerId("c-paul"), box_.now());
  ASSERT_TRUE(paul);
  EXPECT_TRUE((*paul)["profiles"].empty()) << "who was erased stays so";
}

TEST_F(BoxTrouble, ALateBoxErasesBeforeItsFirstDecision) {
  box_.feed_shop();
  box_.setup.tweak = [](daemon::EngineSettings& settings) { settings.crm_speaks_first = 3s; };
  box_.crm_answers = false;
  box_.power_cycle();
  box_.world().sent.clear();
  box_.hear_mia_for(2s);
  box_.links_up();
  box_.hear_mia_for(2s);
  EXPECT_FALSE(mia_is_here()) << "the CRM may know better";
  box_.erase("c-mia", "00000000-0000-4000-8000-0000000000e2");
  box_.hear_mia_for(5s);
  EXPECT_FALSE(mia_is_here());
  for (const json& event : box_.sent("/event"))
    EXPECT_THAT(event["type"], testing::HasSubstr("erasure"));
}

TEST_F(BoxTrouble, ABoxWithoutALineDoesNotWaitForTheCrmForEver) {
  box_.feed_shop();
  box_.setup.tweak = [](daemon::EngineSettings& settings) { settings.crm_speaks_first = 3s; };
  box_.power_cycle();
  box_.hear_mia_for(2s);
  EXPECT_FALSE(mia_is_here());
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, ASilentCrmMeansNobodyConsentsVisibly) {
  box_.feed_shop();
  box_.hear_mia_for(2s);
  ASSERT_TRUE(mia_is_here());
  EXPECT_EQ(footing(), "firm");
  box_.skip(73h);
  box_.advance(2s);
  EXPECT_EQ(footing(), "CRM silent for too long");
  EXPECT_EQ(tablet(), json::array({"crm_silent"}));
  box_.hear_mia_for(2s);
  EXPECT_FALSE(mia_is_here());
  box_.inbound(LinkName::uplink, box_prefix + "feed/consents",
               R"({"v":1,"collection":"consents","kind":"delta","epoch":"x","from_seq":0,)"
               R"("to_seq":0,"items":[]})");
  box_.advance(2s);
  EXPECT_EQ(footing(), "firm");
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, AClockThatIsNotSetAfterBootMeansNobodyConsentsUntilItIs) {
  box_.feed_shop();
  box_.set_wall(-24h * 365, false);
  box_.power_cycle();
  box_.links_up();
  box_.hear_mia_for(3s);
  EXPECT_EQ(footing(), "clock not set");
  EXPECT_EQ(tablet(), json::array({"clock_not_set"}));
  EXPECT_FALSE(mia_is_here());
  box_.set_wall(0s, true);
  box_.advance(2s);
  EXPECT_EQ(footing(), "firm") << "the CRM spoke before the restart";
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, AClockThatWasSetBackAnHourEndsConsentUntilTheCrmSpeaksAgain) {
  box_.feed_shop();
  box_.hear_mia_for(2s);
  ASSERT_TRUE(mia_is_here());
  box_.set_wall(-1h, true);
  box_.advance(2s);
  EXPECT_EQ(footing(), "CRM silent for too long") << "how old its word is cannot be said";
  EXPECT_FALSE(mia_is_here());
  box_.feed_shop();
  EXPECT_EQ(footing(), "firm");
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

TEST_F(BoxTrouble, WhoWasErasedStaysErasedAfterARestartAndMayComeBack) {
  box_.feed_shop();
  box_.erase("c-mia", "00000000-0000-4000-8000-0000000000e2");
  box_.power_cycle();
  box_.links_up();
  box_.feed_shop();  // late items
  const auto refused = box_.engine().enrol(CustomerId("c-mia"), test::a_clip(), box_.now(), {}, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("forgotten"), std::string::npos);

  // The same command again, then a consent that is newer than the erasure.
  box_.erase("c-mia", "00000000-0000-4000-8000-0000000000e2");
  box_.advance(1min);
  const auto before = hellos();
  box_.feed_step_of_consent("c-mia", "proximity_offers", "given");
  ASSERT_GT(hellos(), before);
  const json have = box_.sent("/hello").back()["have"];
  EXPECT_FALSE(have.contains("identities")) << "what was withheld is asked for";
  EXPECT_FALSE(have.contains("profiles"));
  EXPECT_TRUE(have.contains("policy"));
  box_.feed_shop();
  box_.feed_step_of_consent("c-mia", "proximity_offers", "given");
  box_.erase("c-mia", "00000000-0000-4000-8000-0000000000e2");  // a late repeat erases nobody
  box_.hear_mia_for(3s);
  EXPECT_TRUE(mia_is_here());
}

}  // namespace
}  // namespace welcome::test
