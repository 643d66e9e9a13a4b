// SPDX-License-Identifier: Apache-2.0
// A box whose clock is wrong: nothing is deleted by it, nobody is acted on by it, and whoever was
// erased stays erased.

#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "contract/message.h"
#include "harness/bench_box.h"

namespace welcome::test {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;

constexpr auto kYears = 24h * 365 * 4;
const CustomerId kMia("c-mia");
const CustomerId kPaul("c-paul");

class WrongClock : public testing::Test {
 protected:
  WrongClock() : box_(kStart) {
    box_.use_timekeeper();
    crm_speaks();
  }

  // As with a signed head: the time, and what the box held before.
  void crm_speaks() {
    box_.crm_says(box_.right_time());
    box_.links_up();
  }
  bool mia_is_here() {
    box_.hear_mia_for(3s);
    return !box_.engine().visits().empty() && box_.engine().visits().at(0)["ended"].is_null();
  }
  // Whether her key is in memory.
  bool mia_is_known() {
    const auto identified = [&] {
      return box_.engine().status(box_.now())["radio"]["identified"].get<std::uint64_t>();
    };
    const auto before = identified();
    box_.hear_mia();
    return identified() > before;
  }
  void mia_agreed(WallTime at, WallTime until) {
    json record = BenchBox::shop_consent("c-mia", "proximity_offers");
    record["history"] = {{{"state", "given"}, {"at", contract::to_rfc3339(at)}, {"how", "app"}}};
    record["expires_at"] = contract::to_rfc3339(until);
    box_.feed_consent(record, ++changes_);
  }
  json clock() { return box_.engine().status(box_.now()).at("clock"); }
  std::string footing() { return box_.engine().status(box_.now()).at("consents").at("footing"); }

  // Proofs, and what is kept for a time: all of it written while the clock was right.
  void fill() {
    box_.feed_shop();
    box_.erase("c-paul", "erase-1");
    box_.feed_step_of_consent("c-bruno", "visit_analytics", "withdrawn", ++changes_);
    ASSERT_TRUE(mia_is_here());
    ASSERT_TRUE(box_.store().transaction([&](store::Tx& tx) {
      tx.people().add_template({TemplateId("t-1"), CustomerId("c-bruno"), "test-model",
                                box_.now().wall, std::vector<std::uint8_t>{1, 2, 3}, 0,
                                std::nullopt});
    }));
    box_.advance(60s);
    kept_ = held();
    EXPECT_EQ(kept_["tombstones"], 1);
    EXPECT_EQ(kept_["withdrawals"], 1);
    EXPECT_EQ(kept_["templates"], 1);
    EXPECT_GT(kept_["audit"], 0);
  }
  json held() {
    return {{"tombstones", box_.store().erasure().tombstones()->size()},
            {"withdrawals", box_.store().people().withdrawals()->size()},
            {"templates", box_.store().people().templates()->size()},
            {"audit", box_.store().audit().verify()->entries},
            {"visits", box_.store().journal().visits(100)->size()},
            {"decisions", box_.store().journal().decisions(100)->size()}};
  }
  // Housekeeping comes by at least twice.
  void live_for_hours() {
    for (int i = 0; i < 3; ++i) {
      box_.skip(1h);
      box_.advance(1s);
    }
  }
  // As somebody has kept it.
  void replay_old_record() {
    box_.feed_consent(BenchBox::shop_consent("c-paul", "proximity_offers"), ++changes_);
  }

  BenchBox box_;
  int changes_ = 0;  // of the feed's consents
  json kept_;
};

TEST_F(WrongClock, AStartFourYearsAheadDeletesNothingAndBringsNobodyBack) {
  fill();
  box_.set_machine(kYears);
  box_.reboot();
  box_.links_up();
  live_for_hours();
  EXPECT_EQ(clock()["quality"], "unknown");
  EXPECT_EQ(held(), kept_);
  replay_old_record();
  EXPECT_TRUE(*box_.store().erasure().erased_at(kPaul))
      << "an old signed record brings nobody back";
  EXPECT_FALSE(mia_is_here());

  box_.set_machine(0s);
  crm_speaks();
  EXPECT_TRUE(mia_is_here());
  EXPECT_EQ(held()["tombstones"], 1);
}

TEST_F(WrongClock, NtpSpoofedByYearsDeletesNothingHoweverOftenTheCrmSpeaks) {
  fill();
  for (const auto ahead : {kYears, -kYears}) {
    box_.ntp_says(ahead);
    live_for_hours();
    crm_speaks();
    live_for_hours();
    EXPECT_EQ(clock()["deletes"], false);
    json now = held();
    // It works on, and writes; what was there is there.
    for (const char* what : {"tombstones", "withdrawals", "templates", "audit", "visits"})
      EXPECT_GE(now[what], kept_[what]) << what;
    replay_old_record();
    EXPECT_TRUE(*box_.store().erasure().erased_at(kPaul));
  }
}

TEST_F(WrongClock, WhatIsOldGoesOnceTheMachineAndTheCrmAgree) {
  fill();
  box_.skip(24h * 366);
  box_.ntp_says(0s);
  box_.advance(1s);
  EXPECT_EQ(clock()["deletes"], true) << "the CRM's word of a year ago, and what has passed since";
  live_for_hours();
  EXPECT_EQ(held()["templates"], 0);
  EXPECT_EQ(held()["tombstones"], 1) << "three years";
}

TEST_F(WrongClock, WithoutABatteryNobodyCountsUntilTheCrmHasSignedATime) {
  box_.feed_shop();
  box_.set_machine(-24h * 3);
  box_.reboot();
  box_.links_up();
  EXPECT_EQ(footing(), "clock not set");
  EXPECT_FALSE(mia_is_here());
  crm_speaks();
  box_.advance(2s);
  EXPECT_EQ(clock()["quality"], "bounded");
  EXPECT_EQ(clock()["wall"], contract::to_rfc3339(box_.right_time()));
  EXPECT_TRUE(mia_is_here());
}

TEST_F(WrongClock, AGlitchIsOverWhenNtpHasAnsweredAgain) {
  fill();
  box_.ntp_says(0s);
  box_.set_machine(kYears);
  box_.advance(2s);
  EXPECT_EQ(clock()["quality"], "bounded") << "it was set by hand: the CRM's word counts";
  EXPECT_EQ(clock()["wall"], contract::to_rfc3339(box_.right_time()));
  EXPECT_TRUE(mia_is_here());
  box_.ntp_says(0s);
  box_.advance(2s);
  EXPECT_EQ(clock()["quality"], "synchronised");
  EXPECT_EQ(held()["tombstones"], kept_["tombstones"]);
}

TEST_F(WrongClock, WhoeverIsErasedBeforeTheTimeIsKnownDoesNotComeBackByAnOldConsent) {
  box_.feed_shop();
  box_.set_machine(-kYears);
  box_.reboot();
  box_.links_up();
  box_.erase("c-paul", "erase-1");
  replay_old_record();
  box_.set_machine(0s);
  crm_speaks();
  replay_old_record();
  live_for_hours();
  replay_old_record();
  EXPECT_TRUE(*box_.store().erasure().erased_at(kPaul));
  EXPECT_LT(**box_.store().erasure().erased_at(kPaul), box_.right_time() + 1min)
      << "dated by now: they may agree again";
}

TEST_F(WrongClock, WhoeverIsErasedWhileTheClockIsYearsBehindDoesNotComeBackByAnOldConsent) {
  box_.feed_shop();
  box_.reboot();
  box_.ntp_says(-kYears);
  box_.links_up();
  const json command{{"v", 1}, {"id", "erase-1"}, {"kind", "erase"}, {"customer", "c-paul"}};
  json sent = command;
  sent["expires_at"] = contract::to_rfc3339(box_.right_time() + 1h);
  box_.inbound(contract::LinkName::uplink, test::box_prefix + "command", sent.dump());
  const auto erased = box_.store().erasure().erased_at(kPaul);
  ASSERT_TRUE(erased && *erased);
  EXPECT_GE(**erased, box_.right_time() - 1min);
}

TEST_F(WrongClock, AGrantFromTheFutureWaitsAndNobodyComesBackByOne) {
  box_.feed_shop();
  json record = BenchBox::shop_consent("c-mia", "proximity_offers");
  const WallTime later = box_.right_time() + 6h;
  record["history"] = {{{"state", "given"}, {"at", contract::to_rfc3339(later)}, {"how", "app"}}};
  box_.feed_consent(record, ++changes_);
  EXPECT_FALSE(mia_is_here());
  box_.skip(6h);
  crm_speaks();
  box_.advance(2s);
  EXPECT_TRUE(mia_is_here());

  box_.erase("c-mia", "erase-2");
  record["history"][0]["at"] = "2099-01-01T00:00:00Z";
  box_.feed_consent(record, ++changes_);
  EXPECT_TRUE(*box_.store().erasure().erased_at(kMia));
  EXPECT_FALSE(mia_is_here());
}

// The second lock: keys of whoever's consent is over are not in memory.
TEST_F(WrongClock, AKeyGoesWhenItsConsentEndsThoughTheClockWasYearsAheadAtTheStart) {
  box_.feed_shop();
  mia_agreed(box_.right_time() - 1h, box_.right_time() + 2h);
  box_.set_machine(kYears);
  box_.reboot();
  crm_speaks();
  EXPECT_TRUE(mia_is_here());
  box_.skip(3h);
  box_.advance(1s);
  EXPECT_FALSE(mia_is_known());
}

TEST_F(WrongClock, KeysFollowAClockThatIsSetForwardsAndBack) {
  box_.feed_shop();
  box_.ntp_says(0s);
  mia_agreed(box_.right_time() - 1h, box_.right_time() + 2h);
  box_.advance(1s);
  EXPECT_TRUE(mia_is_known());
  box_.ntp_says(3h);
  box_.advance(1s);
  EXPECT_FALSE(mia_is_known()) << "it is over by that clock";

  mia_agreed(box_.right_time() + 2h, box_.right_time() + 24h);
  box_.advance(1s);
  EXPECT_TRUE(mia_is_known());
  box_.ntp_says(0s);
  box_.advance(1s);
  EXPECT_FALSE(mia_is_known()) << "it has not begun";
}

// ---- quiet hours while the zone of the store changes its clock

WallTime utc(int month, unsigned day, std::chrono::minutes at) {
  return std::chrono::sys_days{std::chrono::year{2026} / month / day} + at;
}

struct QuietNight {
  const char* what;
  const char* from;
  const char* to;
  WallTime due;     // an offer is decided
  WallTime leaves;  // at the earliest
};

class QuietNightTest : public testing::TestWithParam<QuietNight> {
 protected:
  QuietNightTest() : box_(GetParam().due - 5s) {
    box_.link_up(LinkName::uplink);
    box_.feed_shop();
    const json policy{
        {"time_zone", "Europe/Berlin"},
        {"quiet_hours", {{"from", GetParam().from}, {"to", GetParam().to}, {"mode", "hold"}}}};
    const json item{{"op", "put"}, {"key", "policy"}, {"seq", 2}, {"value", policy}};
    box_.inbound(LinkName::uplink, feed_topic(bench_address, contract::Collection::policy),
                 json{{"v", 1},
                      {"collection", "policy"},
                      {"kind", "delta"},
                      {"epoch", "8a2c621f-6a92-4e0a-9396-dcd7624c45d3"},
                      {"from_seq", 1},
                      {"to_seq", 2},
                      {"items", {item}}}
                     .dump());
    box_.feed_an_offer();
  }
  // Until one has left; when that was.
  std::optional<WallTime> leaves_within(std::chrono::minutes time) {
    for (const WallTime end = box_.right_time() + time; box_.right_time() < end;) {
      if (!box_.events("decision.offer").empty()) return box_.right_time();
      box_.skip(10s);
    }
    return std::nullopt;
  }

  BenchBox box_;
};

TEST_P(QuietNightTest, AnOfferThatIsHeldLeavesWhenTheyAreOver) {
  box_.hear_mia_for(10s);
  ASSERT_FALSE(box_.engine().decisions().empty());
  const auto left = leaves_within(4h);
  ASSERT_TRUE(left);
  EXPECT_GE(*left, GetParam().leaves) << contract::to_rfc3339(*left);
  EXPECT_LE(*left, GetParam().leaves + 20s) << contract::to_rfc3339(*left);
}

TEST_P(QuietNightTest, AndSoItDoesAfterAPulledPlug) {
  box_.hear_mia_for(10s);
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  const auto left = leaves_within(4h);
  ASSERT_TRUE(left);
  EXPECT_GE(*left, GetParam().leaves) << contract::to_rfc3339(*left);
  EXPECT_LE(*left, GetParam().leaves + 20s) << contract::to_rfc3339(*left);
}

// A reading that comes twice ends them when it comes again (core/store_clock.h).
// 2026-03-29: 01:59:59 is followed by 03:00 (01:00 UTC). 2026-10-25: 02:59:59 by 02:00 (01:00 UTC).
INSTANTIATE_TEST_SUITE_P(
    Berlin, QuietNightTest,
    testing::Values(
        QuietNight{"the hour that is missing ends them", "01:30", "02:30", utc(3, 29, 45min),
                   utc(3, 29, 60min)},
        QuietNight{"they would begin in the missing hour", "02:30", "04:00", utc(3, 29, 70min),
                   utc(3, 29, 120min)},
        QuietNight{"they lie across it", "22:00", "06:00", utc(3, 29, 30min), utc(3, 29, 240min)},
        QuietNight{"the first of the doubled hours", "02:00", "02:45", utc(10, 25, 30min),
                   utc(10, 25, 105min)},
        QuietNight{"between the two", "02:00", "02:45", utc(10, 25, 50min), utc(10, 25, 50min)},
        QuietNight{"the second", "02:00", "02:45", utc(10, 25, 70min), utc(10, 25, 105min)},
        QuietNight{"from the first into the second", "02:30", "03:00", utc(10, 25, 40min),
                   utc(10, 25, 120min)},
        QuietNight{"across both", "22:00", "04:00", utc(10, 25, 30min), utc(10, 25, 180min)}),
    [](const auto& night) {
      std::string name;
      for (const char c : std::string(night.param.what)) {
        if (c != ' ') name += c;
      }
      return name;
    });

}  // namespace
}  // namespace welcome::test
