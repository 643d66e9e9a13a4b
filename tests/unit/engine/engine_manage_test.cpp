// SPDX-License-Identifier: Apache-2.0
// What a lead asks for on a tablet: whose role it is, pauses in the shop, rehearsals.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "contract/manage.h"
#include "harness/bench_box.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using contract::Manage;
using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class AtTheTablets : public testing::Test {
 protected:
  AtTheTablets() : box_(test::kStart) {
    box_.links_up();
    box_.feed_shop();
    box_.feed_staff({"eva", "tom", "ida"}, {{"eva", "lead"}, {"ida", "technician"}});
  }

  void ask(const json& what, const std::string& sign_in, const std::string& tablet = "tablet-1") {
    json message = what;
    message["sign_in"] = sign_in;
    box_.tablet_says("manage", message, tablet);
  }
  std::size_t answers(const std::string& tablet = "tablet-1") {
    return box_.sent("floor/to/" + tablet + "/managed").size();
  }
  json answer(const std::string& tablet = "tablet-1") {
    const auto all = box_.sent("floor/to/" + tablet + "/managed");
    return all.empty() ? json() : all.back();
  }
  json refused(const std::string& tablet = "tablet-1") {
    const auto all = box_.sent("floor/to/" + tablet + "/refused");
    return all.empty() ? json() : all.back();
  }
  json status() { return box_.sent("floor/status/").back(); }
  void head_office(const std::string& function, bool paused) {
    box_.inbound(LinkName::uplink, "welcome/v1/demo/_all/control",
                 json{{"v", 1},
                      {"id", "ctl-" + std::to_string(++seq_)},
                      {"seq", seq_},
                      {"tenant", "demo"},
                      {"store", "_all"},
                      {"function", function},
                      {"paused", paused},
                      {"at", contract::to_rfc3339(box_.now().wall)}}
                     .dump());
  }

  test::BenchBox box_;
  int seq_ = 0;
};

const json kPause{{"kind", "pause"}, {"function", "offers"}, {"reason", "bothers"}};
const json kResume{{"kind", "resume"}, {"function", "offers"}};

// Everything that anybody may ask for, each by whom it is not for.
TEST_F(AtTheTablets, OnlyWhoseRoleItIsIsAnswered) {
  const std::vector<json> of_a_lead{{{"kind", "today"}},
                                    kPause,
                                    kResume,
                                    {{"kind", "rehearsal_start"}},
                                    {{"kind", "rehearsal_stop"}}};
  for (const std::string who : {"tom", "ida"}) {
    const std::string session = box_.sign_in(who);
    for (const json& kind : of_a_lead) {
      ask(kind, session);
      EXPECT_EQ(refused()["cause"], "not_allowed") << who << ": " << kind;
    }
  }
  EXPECT_EQ(answers(), 0U);
  EXPECT_EQ(status()["paused"], json::array());
  EXPECT_EQ(status()["rehearsal"], false);
  const std::string eva = box_.sign_in("eva");
  for (const json& kind : of_a_lead) ask(kind, eva);
  EXPECT_EQ(answers(), of_a_lead.size());
}

TEST_F(AtTheTablets, ARoleInTheMessageIsNone) {
  const std::string tom = box_.sign_in("tom");
  json message = kPause;
  message["staff"] = "eva";
  message["roles"] = {"lead"};
  ask(message, tom);
  EXPECT_EQ(refused()["cause"], "not_allowed");
}

TEST_F(AtTheTablets, ASessionThatIsLockedOrOverOrOfAnotherTabletMayNothing) {
  const std::string eva = box_.sign_in("eva");
  ask(kPause, eva, "tablet-2");
  EXPECT_EQ(refused("tablet-2")["cause"], "not_signed_in");
  box_.tablet_says("session", {{"kind", "lock"}, {"sign_in", eva}});
  ask(kPause, eva);
  EXPECT_EQ(refused()["cause"], "locked");
  box_.sign_in("eva");
  box_.tablet_says("session", {{"kind", "sign_out"}, {"sign_in", eva}});
  ask(kPause, eva);
  EXPECT_EQ(refused()["cause"], "not_signed_in");
  EXPECT_EQ(status()["paused"], json::array());
}

// Whoever another box lets in is nobody here unless head office has them in this store.
TEST_F(AtTheTablets, ALeadOfAnotherStoreIsNobodyHere) {
  box_.inbound(LinkName::floor, "welcome/v1/floor/to/tablet-1/session",
               json{{"v", 1},
                    {"box", "box-2"},
                    {"sign_in", "theirs"},
                    {"state", "on"},
                    {"staff", "boss"},
                    {"name", "Boss"},
                    {"roles", {"staff", "lead"}},
                    {"since", contract::to_rfc3339(box_.now().wall)},
                    {"ends_at", contract::to_rfc3339(box_.now().wall + 12h)},
                    {"lock_after_s", 600},
                    {"at", contract::to_rfc3339(box_.now().wall)}}
                   .dump());
  ask(kPause, "theirs");
  EXPECT_EQ(refused()["cause"], "not_signed_in");
}

// Another box may say that a plain member of staff is a lead; head office's list says what they
// may.
TEST_F(AtTheTablets, ARoleThatAnotherBoxGivesIsNone) {
  box_.inbound(LinkName::floor, "welcome/v1/floor/to/tablet-1/session",
               json{{"v", 1},
                    {"box", "box-2"},
                    {"sign_in", "theirs"},
                    {"state", "on"},
                    {"staff", "tom"},
                    {"name", "Tom"},
                    {"roles", {"staff", "lead"}},
                    {"since", contract::to_rfc3339(box_.now().wall)},
                    {"ends_at", contract::to_rfc3339(box_.now().wall + 12h)},
                    {"lock_after_s", 600},
                    {"at", contract::to_rfc3339(box_.now().wall)}}
                   .dump());
  ask(kPause, "theirs");
  EXPECT_EQ(refused()["cause"], "not_allowed");
}

TEST_F(AtTheTablets, WhoLosesTheRoleMayNoMoreAtOnce) {
  const std::string eva = box_.sign_in("eva");
  box_.feed_staff({"eva", "tom"});
  ask(kPause, eva);
  EXPECT_EQ(refused()["cause"], "not_allowed");
}

TEST_F(AtTheTablets, LookingKeepsNoTabletOpen) {
  const std::string eva = box_.sign_in("eva");
  for (int minute = 0; minute < 11; ++minute) {
    box_.skip(1min);
    ask({{"kind", "today"}}, eva);
  }
  EXPECT_EQ(refused()["cause"], "locked");
  const std::string again = box_.sign_in("eva");
  for (int minute = 0; minute < 11; ++minute) {
    box_.skip(1min);
    ask(minute % 2 == 0 ? kPause : kResume, again);
  }
  EXPECT_EQ(box_.sent("floor/to/tablet-1/session").back()["state"], "on");
}

TEST_F(AtTheTablets, WhatIsMeantForAnotherBoxIsNotDoneHere) {
  const std::string eva = box_.sign_in("eva");
  ask({{"kind", "rehearsal_start"}, {"box", "box-2"}}, eva);
  EXPECT_EQ(answers(), 0U);
  EXPECT_EQ(status()["rehearsal"], false);
  ask({{"kind", "rehearsal_start"}, {"box", "box-1"}}, eva);
  EXPECT_EQ(answer()["box"], "box-1");
  EXPECT_EQ(status()["rehearsal"], true);
}

TEST_F(AtTheTablets, APauseHoldsIsToldAndOutlivesARestart) {
  const std::string eva = box_.sign_in("eva");
  ask(kPause, eva);
  EXPECT_EQ(status()["paused"], json::array({"offers"}));
  EXPECT_EQ(status()["paused_here"], json::array({"offers"}));
  const json paused = answer()["today"]["paused"];
  ASSERT_EQ(paused.size(), 1U);
  EXPECT_EQ(paused[0]["here"]["staff"], "eva");
  EXPECT_EQ(paused[0]["here"]["reason"], "bothers");
  EXPECT_THAT(box_.audit(), Contains("pause staff:eva offers paused in the shop: bothers"));
  const auto said = box_.events("health");
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said.back()["data"]["part"], "pause");
  EXPECT_EQ(said.back()["data"]["text"], "offers paused in the shop: bothers, by staff:eva");
  EXPECT_FALSE(said.back().contains("subject")) << "about nobody";
  EXPECT_EQ(box_.engine().vitals(box_.now())["paused_here"], json::array({"offers: bothers"}));

  const auto here = box_.feed_an_offer();
  box_.hear_mia_for(3s);
  EXPECT_TRUE(box_.events("decision.offer").empty()) << here;

  box_.power_cycle();
  box_.links_up();
  EXPECT_EQ(status()["paused"], json::array({"offers"}));
  ask(kResume, box_.sign_in("eva"));
  EXPECT_EQ(status()["paused"], json::array());
  EXPECT_THAT(box_.audit(), Contains("pause staff:eva offers no longer paused in the shop"));
  EXPECT_EQ(box_.events("health").back()["data"]["state"], "ok");
  box_.power_cycle();
  box_.links_up();
  EXPECT_EQ(status()["paused"], json::array());
}

TEST_F(AtTheTablets, NeitherPauseLiftsTheOther) {
  const std::string eva = box_.sign_in("eva");
  head_office("offers", true);
  ask(kResume, eva);
  EXPECT_EQ(status()["paused"], json::array({"offers"})) << "the shop lifts what head office said";
  ask(kPause, eva);
  EXPECT_EQ(answer()["today"]["paused"].size(), 2U);
  head_office("offers", false);
  EXPECT_EQ(status()["paused"], json::array({"offers"})) << "head office lifts what the shop said";
  box_.power_cycle();
  box_.links_up();
  EXPECT_EQ(status()["paused"], json::array({"offers"}));
  head_office("offers", true);
  ask(kResume, box_.sign_in("eva"));
  EXPECT_EQ(status()["paused"], json::array({"offers"}));
  EXPECT_EQ(status()["paused_here"], json::array());
  box_.power_cycle();
  box_.links_up();
  EXPECT_EQ(status()["paused"], json::array({"offers"}));
  head_office("offers", false);
  EXPECT_EQ(status()["paused"], json::array());
}

TEST_F(AtTheTablets, APauseThatCannotBeWrittenDownDoesNotHold) {
  const std::string eva = box_.sign_in("eva");
  box_.power_off();
  box_.refuse_to_store("INSERT ON audit", "NEW.kind = 'pause'");
  box_.power_on();
  box_.links_up();
  ask(kPause, eva);
  EXPECT_EQ(refused()["cause"], "not_stored");
  EXPECT_EQ(status()["paused"], json::array());
  EXPECT_EQ(status()["paused_here"], json::array());
}

// The plug is pulled after head office's word is down, and before the rules have followed it.
TEST_F(AtTheTablets, WhatHeadOfficeHasLiftedIsNotPausedAfterACut) {
  head_office("offers", true);
  box_.power_off();
  box_.refuse_to_store("INSERT ON audit", "NEW.kind = 'pause'");
  box_.power_on();
  box_.links_up();
  head_office("offers", false);
  box_.power_cycle();
  box_.links_up();
  EXPECT_EQ(status()["paused"], json::array());
}

TEST_F(AtTheTablets, ARehearsalIsTheLeadsByName) {
  const std::string eva = box_.sign_in("eva");
  ask({{"kind", "rehearsal_start"}}, eva);
  EXPECT_EQ(answer()["today"]["rehearsal"], true);
  ask({{"kind", "rehearsal_start"}}, eva);
  EXPECT_EQ(answer()["today"]["rehearsal"], true) << "it is so already";
  ask({{"kind", "rehearsal_stop"}}, eva);
  EXPECT_EQ(status()["rehearsal"], false);
  EXPECT_THAT(box_.audit(), Contains("rehearsal staff:eva started"));
  EXPECT_THAT(box_.audit(), Contains("rehearsal staff:eva ended"));
}

TEST_F(AtTheTablets, WhoIsSignedInWhere) {
  box_.sign_in("tom", "tablet-2");
  ask({{"kind", "today"}}, box_.sign_in("eva"));
  const json signed_in = answer()["today"]["signed_in"];
  ASSERT_EQ(signed_in.size(), 2U);
  EXPECT_EQ(signed_in[0]["staff"], "eva");
  EXPECT_EQ(signed_in[1]["tablet"], "tablet-2");
  EXPECT_EQ(signed_in[1]["locked"], false);
}

const json kRestart{{"kind", "restart"}, {"box", "box-1"}};

TEST_F(AtTheTablets, WhatIsATechniciansIsNobodyElses) {
  const std::vector<json> of_a_technician{{{"kind", "lights"}}, {{"kind", "signal"}}, kRestart};
  for (const std::string who : {"tom", "eva"}) {
    const std::string session = box_.sign_in(who);
    for (const json& kind : of_a_technician) {
      ask(kind, session);
      EXPECT_EQ(refused()["cause"], "not_allowed") << who << ": " << kind;
    }
  }
  EXPECT_EQ(answers(), 0U);
  EXPECT_EQ(box_.world().restarts, 0);
  const std::string ida = box_.sign_in("ida");
  for (const json& kind : of_a_technician) ask(kind, ida);
  EXPECT_EQ(answers(), of_a_technician.size());
}

TEST_F(AtTheTablets, ATechnicianSeesTheLightsAndWhatToDo) {
  ask({{"kind", "lights"}}, box_.sign_in("ida"));
  EXPECT_EQ(answer()["lights"][0], (json{{"light", "radio"},
                                         {"lamp", "red"},
                                         {"what", "it hears nothing"},
                                         {"to_do", "is it plugged in?"}}));
}

TEST_F(AtTheTablets, SignalsAreBarsOfNobody) {
  const std::string ida = box_.sign_in("ida");
  box_.hear_mia_for(3s);
  ask({{"kind", "signal"}}, ida);
  EXPECT_EQ(answer()["signal"], json::array()) << "nobody was listened to before";
  box_.hear_mia_for(2s);
  ask({{"kind", "signal"}}, ida);
  const json signal = answer()["signal"];
  ASSERT_EQ(signal.size(), 1U);
  EXPECT_EQ(signal[0]["by"], "fob");
  EXPECT_EQ(signal[0]["bars"], 3);
  EXPECT_EQ(signal[0].size(), 3U) << signal;
  box_.advance(4s);
  ask({{"kind", "signal"}}, ida);
  EXPECT_EQ(answer()["signal"], json::array()) << "who is heard no more";
  box_.skip(1min);
  box_.hear_mia_for(2s);
  ask({{"kind", "signal"}}, ida);
  EXPECT_EQ(answer()["signal"], json::array()) << "nobody looked";
}

TEST_F(AtTheTablets, ARestartIsOfOneBoxAndInTheAuditTrail) {
  const std::string ida = box_.sign_in("ida");
  ask({{"kind", "restart"}, {"box", "box-2"}}, ida);
  ask({{"kind", "restart"}}, ida);
  EXPECT_EQ(box_.world().restarts, 0);
  ask(kRestart, ida);
  EXPECT_EQ(box_.world().restarts, 1);
  EXPECT_EQ(answer()["kind"], "restart");
  EXPECT_THAT(box_.audit(), Contains("restart staff:ida on a tablet"));
}

}  // namespace
}  // namespace welcome
