// SPDX-License-Identifier: Apache-2.0
// Who uses which tablet: signing in, guessing, locking, leaving, and several boxes in one store.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "firmware/engine/pin_tries.h"
#include "harness/bench_box.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class StaffAtTheTablets : public testing::Test {
 protected:
  StaffAtTheTablets() : box_(test::kStart) {
    box_.links_up();
    box_.feed_shop();
    box_.feed_staff({"eva", "tom", "new-"});
  }

  void try_pin(bool right, const std::string& staff = "eva",
               const std::string& tablet = "tablet-1") {
    const auto before = box_.world().pins.size();
    box_.tablet_says("session", {{"kind", "sign_in"}, {"staff", staff}, {"pin", "4711"}}, tablet);
    if (box_.world().pins.size() == before) return;  // refused without a look
    box_.engine().handle(daemon::input::PinChecked{box_.world().pins.back().job, right},
                         box_.now());
    box_.ack_all();
  }
  std::size_t looked_at() { return box_.world().pins.size(); }
  json session(const std::string& tablet = "tablet-1") {
    const auto words = box_.sent("floor/to/" + tablet + "/session");
    return words.empty() ? json() : words.back();
  }
  json refused(const std::string& tablet = "tablet-1") {
    const auto words = box_.sent("floor/to/" + tablet + "/refused");
    return words.empty() ? json() : words.back();
  }
  // Somebody to greet: an invented guest, who needs no camera; their visit.
  std::string guest() {
    if (!box_.engine().start_rehearsal(box_.now())) throw std::runtime_error("no rehearsal");
    box_.advance(60s);
    for (const auto& prompt : box_.sent("floor/prompt/")) {
      if (!prompt.is_null()) visit_ = prompt["visit"];
    }
    return visit_;
  }
  void act(const std::string& visit, const std::string& sign_in, const std::string& kind,
           const std::string& tablet = "tablet-1") {
    box_.tablet_says("action/" + visit, {{"visit", visit}, {"sign_in", sign_in}, {"kind", kind}},
                     tablet);
  }
  json claimed_by() { return box_.sent("floor/prompt/" + visit_).back()["claimed_by"]; }

  test::BenchBox box_;
  std::string visit_;
};

TEST_F(StaffAtTheTablets, SeeWhoWorksHereAndNoHash) {
  const json said = box_.sent("floor/staff/box-1").back();
  ASSERT_EQ(said["staff"].size(), 3U);
  EXPECT_EQ(said["staff"][0], (json{{"id", "eva"}, {"name", "Name of eva"}, {"pin", true}}));
  EXPECT_EQ(said["staff"][1]["pin"], false);
  EXPECT_THAT(said.dump(), Not(HasSubstr("argon2id")));
}

TEST_F(StaffAtTheTablets, TheAuthorIsWhoSignedInWhateverAMessageSays) {
  const std::string visit = guest();
  const std::string eva = box_.sign_in("eva");
  EXPECT_EQ(session()["state"], "on");
  EXPECT_EQ(session()["name"], "Name of eva");
  EXPECT_EQ(session()["sign_in"], eva);
  box_.tablet_says("action/" + visit,
                   {{"visit", visit}, {"sign_in", eva}, {"staff", "the boss"}, {"kind", "claim"}});
  EXPECT_EQ(claimed_by(), "eva");
  EXPECT_THAT(box_.audit(), Contains("sign_in staff:eva tablet-1"));
}

TEST_F(StaffAtTheTablets, NobodyActsWhoIsNotSignedInOrUnderASessionOfAnotherTablet) {
  const std::string visit = guest();
  act(visit, "made up", "claim");
  EXPECT_EQ(refused()["cause"], "not_signed_in");
  const std::string eva = box_.sign_in("eva", "tablet-1");
  act(visit, eva, "claim", "tablet-2");
  EXPECT_EQ(refused("tablet-2")["cause"], "not_signed_in");
  EXPECT_TRUE(claimed_by().is_null());
}

// A tap that was queued while Eva used the tablet, and comes when Tom does.
TEST_F(StaffAtTheTablets, ATapOfTheOneBeforeIsNeverTheNextOnes) {
  const std::string visit = guest();
  const std::string eva = box_.sign_in("eva");
  const std::string tom = box_.sign_in("tom");
  EXPECT_EQ(session()["staff"], "tom");
  act(visit, eva, "claim");
  EXPECT_EQ(refused()["cause"], "not_signed_in");
  EXPECT_TRUE(claimed_by().is_null());
  act(visit, tom, "claim");
  EXPECT_EQ(claimed_by(), "tom");
}

TEST_F(StaffAtTheTablets, AWrongPinIsCountedToldAndWrittenDown) {
  try_pin(false);
  EXPECT_EQ(refused()["cause"], "wrong_pin");
  EXPECT_EQ(refused()["tries_left"], 4);
  EXPECT_TRUE(session().is_null());
  EXPECT_THAT(box_.audit(), Contains("wrong_pin tablet:tablet-1 eva, 1 in a row"));
  for (const auto& line : box_.audit()) EXPECT_THAT(line, Not(HasSubstr("4711")));
  try_pin(true);
  EXPECT_EQ(session()["state"], "on");
  try_pin(false);
  EXPECT_EQ(refused()["tries_left"], 4) << "who signed in begins anew";
}

TEST_F(StaffAtTheTablets, AGuesserHasTenTriesAnHourAndNoMoreAfterARestart) {
  for (int i = 0; i < 5; ++i) try_pin(false);
  EXPECT_EQ(refused()["retry_after_s"], 120);
  for (int i = 0; i < 50; ++i) try_pin(true);
  EXPECT_EQ(looked_at(), 5U) << "while there is a wait no PIN is looked at, not even the right one";
  EXPECT_EQ(refused()["cause"], "wait");
  // On another tablet the same person has to wait, and another person on this one.
  try_pin(true, "eva", "tablet-2");
  try_pin(true, "tom", "tablet-1");
  EXPECT_EQ(looked_at(), 5U);
  box_.power_cycle();
  box_.links_up();
  try_pin(true);
  EXPECT_EQ(looked_at(), 5U) << "a pulled plug gives no tries";
  for (int s = 0; s < 3600; s += 10) {
    box_.skip(10s);
    try_pin(false);
  }
  EXPECT_LE(looked_at(), 10U);
}

// All of them at once, before the first is answered.
TEST_F(StaffAtTheTablets, TriesAreCountedBeforeTheyAreLookedAt) {
  for (int i = 0; i < 100; ++i) {
    box_.tablet_says("session", {{"kind", "sign_in"}, {"staff", "eva"}, {"pin", "4711"}});
  }
  EXPECT_EQ(looked_at(), 5U);
}

// Somebody with a PIN of their own resets the tablet's count between guesses at another's.
TEST_F(StaffAtTheTablets, SigningInRightlyBetweenGivesNoTriesAtAnother) {
  for (int i = 0; i < 50; ++i) {
    try_pin(false, "eva");
    try_pin(true, "tom");
  }
  const auto at_eva =
      std::count_if(box_.world().pins.begin(), box_.world().pins.end(),
                    [](const auto& check) { return check.hash.find("$eva") != std::string::npos; });
  EXPECT_EQ(at_eva, 5);
}

TEST_F(StaffAtTheTablets, ATabletThatNobodyTouchesLocksAndTheSamePersonGoesOn) {
  const std::string visit = guest();
  const std::string eva = box_.sign_in("eva");
  box_.skip(9min);
  box_.tablet_says("session", {{"kind", "active"}, {"sign_in", eva}});
  box_.skip(9min);
  EXPECT_EQ(session()["state"], "on");
  box_.skip(2min);
  EXPECT_EQ(session()["state"], "locked");
  act(visit, eva, "claim");
  EXPECT_EQ(refused()["cause"], "locked");
  try_pin(true);
  EXPECT_EQ(session()["state"], "on");
  EXPECT_EQ(session()["sign_in"], eva) << "it is the same session";
  EXPECT_THAT(box_.audit(), Contains("unlock staff:eva tablet-1"));
}

TEST_F(StaffAtTheTablets, ASessionEnds) {
  const std::string eva = box_.sign_in("eva");
  for (int h = 0; h < 12 * 60; ++h) {
    box_.skip(1min);
    box_.tablet_says("session", {{"kind", "active"}, {"sign_in", eva}});
  }
  EXPECT_EQ(session()["state"], "over");
  EXPECT_EQ(session()["why"], "time");
  EXPECT_THAT(box_.audit(), Contains("sign_out staff:eva tablet-1: time"));
}

TEST_F(StaffAtTheTablets, SignsOutByHand) {
  const std::string eva = box_.sign_in("eva");
  box_.tablet_says("session", {{"kind", "sign_out"}, {"sign_in", "another"}});
  EXPECT_EQ(session()["state"], "on");
  box_.tablet_says("session", {{"kind", "sign_out"}, {"sign_in", eva}});
  EXPECT_EQ(session()["state"], "over");
  EXPECT_EQ(session()["why"], "signed_out");
}

TEST_F(StaffAtTheTablets, ALeaverIsOutOnEveryTabletAtOnce) {
  const std::string one = box_.sign_in("eva", "tablet-1");
  box_.sign_in("eva", "tablet-2");
  box_.sign_in("tom", "tablet-3");
  box_.feed_staff({"tom", "new-"});
  for (const char* tablet : {"tablet-1", "tablet-2"}) {
    EXPECT_EQ(session(tablet)["state"], "over");
    EXPECT_EQ(session(tablet)["why"], "left");
  }
  EXPECT_EQ(session("tablet-3")["state"], "on");
  act(guest(), one, "claim");
  EXPECT_EQ(refused()["cause"], "not_signed_in");
  try_pin(true, "eva");
  EXPECT_EQ(refused()["cause"], "unknown");
}

TEST_F(StaffAtTheTablets, ALeaverOfWhileTheFloorWasAwayIsOutWhenItIsBack) {
  box_.sign_in("eva");
  box_.link_down(LinkName::floor);
  box_.feed_staff({"tom"});
  box_.link_up(LinkName::floor);
  EXPECT_EQ(session()["state"], "over");
  EXPECT_EQ(session()["why"], "left");
}

TEST_F(StaffAtTheTablets, APinThatWasTakenAwayOrChangedSignsOut) {
  box_.sign_in("eva");
  box_.feed_staff({"eva-", "tom"});
  EXPECT_EQ(session()["why"], "left");
  try_pin(true, "eva");
  EXPECT_EQ(refused()["cause"], "unknown");
}

// While a PIN is looked at, head office removes the person.
TEST_F(StaffAtTheTablets, WhoLeftWhileTheirPinWasLookedAtIsNotIn) {
  box_.tablet_says("session", {{"kind", "sign_in"}, {"staff", "eva"}, {"pin", "4711"}});
  box_.feed_staff({"tom"});
  box_.engine().handle(daemon::input::PinChecked{box_.world().pins.back().job, true}, box_.now());
  EXPECT_TRUE(session().is_null());
  EXPECT_EQ(refused()["cause"], "unknown");
}

TEST_F(StaffAtTheTablets, ARestartKeepsThemSignedIn) {
  const std::string eva = box_.sign_in("eva");
  box_.power_cycle();
  box_.links_up();
  EXPECT_EQ(session()["state"], "on");
  EXPECT_EQ(session()["sign_in"], eva);
  act(guest(), eva, "claim");
  EXPECT_EQ(claimed_by(), "eva");
}

TEST_F(StaffAtTheTablets, WithoutStaffTheTabletIsTold) {
  test::BenchBox empty(test::kStart);
  empty.links_up();
  EXPECT_EQ(empty.sent("floor/staff/box-1").back()["staff"], json::array());
  empty.tablet_says("session", {{"kind", "sign_in"}, {"staff", "eva"}, {"pin", "1"}});
  EXPECT_EQ(empty.sent("floor/to/tablet-1/refused").back()["cause"], "no_staff");
}

TEST_F(StaffAtTheTablets, ASignInThatTheDiskDoesNotTakeIsNone) {
  box_.power_off();
  box_.refuse_to_store("INSERT ON audit", "NEW.kind = 'sign_in'");
  box_.power_on();
  box_.links_up();
  try_pin(true);
  EXPECT_EQ(refused()["cause"], "not_stored");
  EXPECT_TRUE(session().is_null());
}

TEST_F(StaffAtTheTablets, ATabletThatSaysTooMuchIsNotHeardAndTheOthersAre) {
  const std::string eva = box_.sign_in("eva", "tablet-1");
  const std::string tom = box_.sign_in("tom", "tablet-2");
  const json consent{{"session", "s"},
                     {"from", "tablet"},
                     {"kind", "consent"},
                     {"customer", "c-mia"},
                     {"purposes", {{"visit_analytics", true}}},
                     {"notice", {{"id", "n"}, {"version", "1"}, {"language", "en"}}}};
  const auto say = [&](const std::string& sign_in, const std::string& tablet) {
    json message = consent;
    message["sign_in"] = sign_in;
    box_.tablet_says("enrol/s", message, tablet);
  };
  for (int i = 0; i < 3000; ++i) say(eva, "tablet-1");
  EXPECT_LE(box_.events("consent.changed").size(), 24U);
  EXPECT_EQ(refused()["cause"], "too_many");
  const auto told = box_.sent("to/tablet-1/refused").size();
  EXPECT_EQ(told, 1U) << "it is told, but not as often as it speaks";
  EXPECT_GT(box_.engine().status(box_.now())["crm"]["refused"]["full"], 2900);
  const auto before = box_.events("consent.changed").size();
  say(tom, "tablet-2");
  EXPECT_EQ(box_.events("consent.changed").size(), before + 1);
  box_.skip(60s);
  say(eva, "tablet-1");
  EXPECT_EQ(box_.events("consent.changed").size(), before + 2) << "after a while it is heard again";
}

TEST_F(StaffAtTheTablets, ATechnicianSeesThemAndSignsThemOut) {
  box_.sign_in("eva");
  box_.skip(30s);
  const json tablets = box_.engine().tablets(box_.now());
  ASSERT_EQ(tablets.size(), 1U);
  EXPECT_EQ(tablets[0]["tablet"], "tablet-1");
  EXPECT_EQ(tablets[0]["name"], "Name of eva");
  EXPECT_EQ(tablets[0]["heard_s_ago"], 30);
  EXPECT_TRUE(box_.engine().sign_out("tablet-1", box_.now()));
  EXPECT_EQ(session()["state"], "over");
  EXPECT_FALSE(box_.engine().sign_out("tablet-1", box_.now()));
}

// ---- several boxes ----

class OtherBox : public StaffAtTheTablets {
 protected:
  void other_says(json changes) {
    json word{{"v", 1},
              {"box", "box-2"},
              {"sign_in", "in-other"},
              {"state", "on"},
              {"staff", "tom"},
              {"name", "Tom"},
              {"roles", {"staff"}},
              {"since", contract::to_rfc3339(box_.now().wall)},
              {"ends_at", contract::to_rfc3339(box_.now().wall + 12h)},
              {"lock_after_s", 600},
              {"at", contract::to_rfc3339(box_.now().wall)}};
    word.update(changes);
    contract::RawMessage raw{"welcome/v1/floor/to/tablet-1/session", word.dump(), true, {}, {}};
    box_.engine().handle(daemon::input::FromLink{LinkName::floor, std::move(raw), {}}, box_.now());
  }
};

TEST_F(OtherBox, IsBelievedAboutWhomThisBoxKnows) {
  const std::string visit = guest();
  other_says(json::object());
  act(visit, "in-other", "claim");
  EXPECT_EQ(claimed_by(), "tom");
  EXPECT_THAT(box_.audit(), Contains("sign_in staff:tom tablet-1, checked by box-2"));
  other_says({{"state", "over"}, {"why", "left"}});
  EXPECT_EQ(session()["state"], "over");
}

TEST_F(OtherBox, IsNotBelievedAboutWhomThisBoxDoesNotKnow) {
  other_says({{"staff", "stranger"}});
  act(guest(), "in-other", "claim");
  EXPECT_EQ(refused()["cause"], "not_signed_in");
}

TEST_F(OtherBox, WithAnOlderWordDoesNotEndANewerSession) {
  const auto before = contract::to_rfc3339(box_.now().wall);
  box_.skip(1min);
  const std::string eva = box_.sign_in("eva");
  const auto said = box_.sent("to/tablet-1/session").size();
  other_says({{"since", before}});
  other_says({{"since", before}, {"state", "over"}});
  EXPECT_EQ(session()["sign_in"], eva);
  EXPECT_EQ(box_.sent("to/tablet-1/session").size(), said + 2)
      << "said again, where it was covered";
  act(guest(), eva, "claim");
  EXPECT_EQ(claimed_by(), "eva");
}

// ---- the count alone ----

TEST(PinTries, AreAtMostTenInAnyHourWhateverComesInBetween) {
  daemon::PinTries tries;
  std::vector<MonoTime> looked;
  for (int s = 0; s < 6 * 3600; ++s) {
    const MonoTime now{std::chrono::seconds(s)};
    if (!tries.take({"staff:eva"}, now)) looked.push_back(now);
    if (s % 600 == 0 && !tries.take({"staff:eva"}, now)) tries.right({"staff:eva"});
  }
  for (const auto at : looked) {
    const auto within = std::count_if(looked.begin(), looked.end(), [at](MonoTime other) {
      return other >= at && other < at + 1h;
    });
    EXPECT_LE(within, 10);
  }
  EXPECT_GT(looked.size(), 5U) << "nobody is locked out for good";
}

TEST(PinTries, OutliveARestart) {
  daemon::PinTries before;
  for (int i = 0; i < 5; ++i) before.take({"staff:eva"}, MonoTime{});
  daemon::PinTries after;
  after.load(before.text(), MonoTime{});
  EXPECT_EQ(after.wait({"staff:eva"}, MonoTime{}), 120s);
  for (const char* broken : {"", "[]", "{\"a\":1}", "{\"a\":[1]}", "{\"a\":[-1,99999999999999]}"}) {
    daemon::PinTries other;
    other.load(broken, MonoTime{});
    EXPECT_LE(other.wait({"a"}, MonoTime{}).value_or(0s), 3600s) << broken;
  }
}

}  // namespace
}  // namespace welcome
