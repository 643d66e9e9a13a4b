// SPDX-License-Identifier: Apache-2.0
// Opt-in at the desk: consent, camera, template; and what staff say against a template.

#include <cmath>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/bench_box.h"
#include "harness/face_consent.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;
using test::box_prefix;
using testing::HasSubstr;

const CustomerId kMia("c-mia");

// A unit vector with this cosine to the template that face_of() makes.
vision::Embedding like_mia(float similarity) {
  vision::Embedding face;
  face.values = {similarity, std::sqrt(1 - similarity * similarity), 0, 0};
  return face;
}

class EnrolAtTheDesk : public testing::Test {
 protected:
  EnrolAtTheDesk() : box_(test::kStart) {
    box_.links_up();
    box_.feed_shop();
    box_.feed_staff({"eva", "tom"});
    eva_ = box_.sign_in("eva");
  }

  void tablet(json message, const std::string& session = "s-1") {
    message["session"] = session;
    message["from"] = "tablet";
    box_.tablet_says("enrol/" + session, std::move(message));
  }
  void agree(const json& purposes) {
    tablet({{"kind", "consent"},
            {"sign_in", eva_},
            {"customer", kMia.str()},
            {"purposes", purposes},
            {"notice", {{"id", "desk-enrolment"}, {"version", "1"}, {"language", "en"}}}});
  }
  void start(const std::string& session = "s-1") {
    tablet({{"kind", "start"}, {"sign_in", eva_}, {"customer", kMia.str()}}, session);
  }

  // What was said, without what clears a topic.
  std::vector<json> said(const std::string& topic_part) {
    auto found = box_.sent(topic_part);
    std::erase(found, json());
    return found;
  }
  json last_word(const std::string& session = "s-1") {
    const auto words = said("floor/to/tablet-1/enrol/" + session);
    return words.empty() ? json() : words.back();
  }

  // The CRM sends this consent record, one after those of the file.
  void feed(json record) {
    record["record_id"] = "r-mia-face";
    box_.feed_consent(std::move(record), ++fed_);
  }

  // What the camera answers.
  void camera_says(const vision::EnrolmentResult& face) {
    box_.engine().handle(daemon::input::Enrolled{box_.world().enrolments.back(), kMia, face},
                         box_.now());
    box_.ack_all();
  }
  vision::EnrolledFace face_of(const CustomerId& customer) {
    vision::Embedding face;
    face.values = {1, 0, 0, 0};
    return {customer,
            {vision::FaceTemplate(test::face_consent(customer, box_.now()), "test-model", face)}};
  }
  void enrol_mia() {
    agree({{"face_recognition", true}, {"preference_prompts", true}});
    start();
    camera_says(face_of(kMia));
  }

  // The CRM tells that this event was not confirmed. Whether the box says that it is done.
  bool take_back(const json& event, const CustomerId& customer = kMia) {
    contract::Command command;
    command.id = MessageId("t-" + std::to_string(++commands_));
    command.kind = contract::Command::Kind::take_back;
    command.customer = customer;
    command.reason = contract::Command::Reason::expired;
    command.events = {MessageId(event["id"].get<std::string>())};
    const auto message = encode_command(test::bench_address, command);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
    return box_.sent("/response").back().at("ok").get<bool>();
  }

  // Of the last prompt.
  void staff_say_not_this_person() {
    const auto prompts = said("floor/prompt/");
    ASSERT_FALSE(prompts.empty());
    const std::string visit = prompts.back()["visit"];
    box_.tablet_says(
        "action/" + visit,
        {{"id", "a-1"}, {"visit", visit}, {"sign_in", eva_}, {"kind", "not_this_person"}});
  }

  bool accepted(float similarity) {
    const auto& gallery = box_.world().gallery;
    const auto match = gallery ? gallery->match(like_mia(similarity)) : std::nullopt;
    return match && match->accepted;
  }

  test::BenchBox box_;
  std::string eva_;  // her sign-in on tablet-1
  int fed_ = 0;
  int commands_ = 0;
};

TEST_F(EnrolAtTheDesk, ConsentHoldsAtOnceIsWrittenDownAndGoesToTheCrm) {
  agree({{"face_recognition", true}, {"preference_prompts", true}});
  const auto told = box_.events("consent.changed");
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0]["subject"], "c-mia");
  EXPECT_EQ(told[0]["data"]["how"], "desk");
  EXPECT_EQ(told[0]["data"]["notice"]["id"], "desk-enrolment");
  EXPECT_EQ(told[0]["data"]["staff"], "eva");
  EXPECT_THAT(box_.audit(), testing::Contains("consent staff:eva face_recognition given"));
  EXPECT_EQ(last_word()["kind"], "confirmation") << "and the tablet goes on to the camera";
  EXPECT_EQ(last_word()["confirmed"], "waiting");
  start();
  EXPECT_EQ(box_.world().enrolments.size(), 1U);
}

TEST_F(EnrolAtTheDesk, WithoutTheFaceThereIsNothingToDoForTheCamera) {
  agree({{"personalised_offers", true}, {"face_recognition", false}});
  EXPECT_EQ(last_word()["kind"], "done");
  EXPECT_EQ(last_word()["views"], 0);
  EXPECT_EQ(box_.events("consent.changed").size(), 1U);
  start();
  EXPECT_EQ(last_word()["kind"], "failed");
  EXPECT_THAT(last_word()["reason"].get<std::string>(), HasSubstr("no consent"));
  EXPECT_TRUE(box_.world().enrolments.empty());
}

TEST_F(EnrolAtTheDesk, ANoWithdrawsWhatIsGivenAndHoldsAfterAPowerCut) {
  enrol_mia();
  ASSERT_EQ(box_.store().people().templates_of(kMia)->size(), 1U);
  box_.advance(1s);
  agree({{"face_recognition", false}, {"personalised_offers", true}, {"visit_analytics", false}});
  const auto told = box_.events("consent.changed");
  ASSERT_EQ(told.size(), 4U) << "no word about what was not given";
  EXPECT_EQ(told[2]["data"]["purpose"], "face_recognition");
  EXPECT_EQ(told[2]["data"]["state"], "withdrawn");
  EXPECT_EQ(told[2]["data"]["how"], "desk");
  EXPECT_EQ(last_word()["kind"], "done");
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
  EXPECT_THAT(box_.audit(), testing::Contains("consent staff:eva face_recognition withdrawn"));
  box_.power_cycle();
  box_.links_up();
  start();
  EXPECT_EQ(last_word()["kind"], "failed");
}

// The grant may be a tap on the phone that is still on its way to this box.
TEST_F(EnrolAtTheDesk, WhoWithdrawsIsHeardByTheCrmWhateverTheBoxKnows) {
  agree({{"face_recognition", false}, {"visit_analytics", false}});
  EXPECT_EQ(last_word()["kind"], "done");
  auto told = box_.events("consent.changed");
  ASSERT_EQ(told.size(), 2U);
  for (const json& news : told) {
    EXPECT_EQ(news["data"]["state"], "withdrawn");
    EXPECT_EQ(news["data"]["how"], "desk");
  }
  agree({{"face_recognition", false}, {"visit_analytics", false}});
  EXPECT_EQ(box_.events("consent.changed").size(), 2U) << "once";
  EXPECT_EQ(last_word()["kind"], "done");

  // What was given before that does not count any more, whenever it comes.
  start();
  EXPECT_EQ(last_word()["kind"], "failed");
  box_.advance(1s);
  agree({{"face_recognition", true}});
  EXPECT_EQ(box_.events("consent.changed").size(), 3U) << "a newer yes does";
  start();
  EXPECT_EQ(box_.world().enrolments.size(), 1U);
}

TEST_F(EnrolAtTheDesk, GuidesTheGuestAndKeepsTheTemplateSealed) {
  agree({{"face_recognition", true}});
  start();
  const auto job = box_.world().enrolments.back();
  const auto guide = [&](vision::Guidance guidance, int views) {
    box_.engine().handle(daemon::input::EnrolProgress{job, guidance, views}, box_.now());
  };
  guide(vision::Guidance::closer, 0);
  EXPECT_EQ(last_word()["kind"], "guide");
  EXPECT_EQ(last_word()["hint"], "closer");
  EXPECT_EQ(last_word()["views_needed"], 3);
  const auto words = said("floor/to/tablet-1/enrol/s-1").size();
  guide(vision::Guidance::closer, 0);
  EXPECT_EQ(said("floor/to/tablet-1/enrol/s-1").size(), words);  // nothing new to say
  box_.advance(3s);
  guide(vision::Guidance::closer, 0);  // but the tablet must know that somebody is there
  EXPECT_EQ(said("floor/to/tablet-1/enrol/s-1").size(), words + 1);
  guide(vision::Guidance::turn_a_little, 1);
  EXPECT_EQ(last_word()["hint"], "turn_left");

  camera_says(face_of(kMia));
  EXPECT_EQ(last_word()["kind"], "done");
  const auto rows = box_.store().people().templates_of(kMia);
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(rows->size(), 1U);
  const auto told = box_.events("enrolment.done");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0]["data"]["staff"], "eva");
  EXPECT_THAT(box_.audit(), testing::Contains("enrolment staff:eva test-model"));
}

TEST_F(EnrolAtTheDesk, SaysThatTheFaceIsSomebodyElses) {
  agree({{"face_recognition", true}});
  start();
  camera_says(tl::unexpected(vision::EnrolmentEnd::somebody_else));
  EXPECT_EQ(last_word()["kind"], "failed");
  EXPECT_THAT(last_word()["reason"].get<std::string>(), HasSubstr("another customer"));
  EXPECT_EQ(last_word()["cause"], "somebody_else");
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
}

TEST_F(EnrolAtTheDesk, HasAWordOfTheContractForEveryReason) {
  std::ifstream in(WELCOME_SOURCE_DIR "/docs/schemas/floor.enrol.json");
  const json words = json::parse(in)["properties"]["cause"]["enum"];
  agree({{"face_recognition", true}});
  constexpr int kCount = static_cast<int>(vision::EnrolmentEnd::not_stored) + 1;
  ASSERT_EQ(words.size(), static_cast<std::size_t>(kCount));
  for (int i = 0; i < kCount; ++i) {
    const auto why = static_cast<vision::EnrolmentEnd>(i);
    start();
    camera_says(tl::unexpected(why));
    EXPECT_EQ(last_word()["cause"], words[static_cast<std::size_t>(i)]);
    EXPECT_EQ(last_word()["reason"], vision::sentence(why));
  }
}

TEST_F(EnrolAtTheDesk, AnswersEvenWhenTheCameraIsDeadOrNoViewIsGood) {
  agree({{"face_recognition", true}});
  start();
  box_.advance(10s);
  EXPECT_EQ(last_word()["kind"], "failed");
  EXPECT_THAT(last_word()["reason"].get<std::string>(), HasSubstr("no pictures"));
  EXPECT_TRUE(box_.world().enrolments.empty());

  start();
  for (int i = 0; i < 62; ++i) {
    if (box_.world().enrolments.empty()) break;
    box_.engine().handle(
        daemon::input::EnrolProgress{box_.world().enrolments.back(), vision::Guidance::no_face, 0},
        box_.now());
    box_.advance(1s);
  }
  EXPECT_EQ(last_word()["kind"], "failed");
  EXPECT_THAT(last_word()["reason"].get<std::string>(), HasSubstr("no face"));
  EXPECT_EQ(last_word()["cause"], "nobody");
}

TEST_F(EnrolAtTheDesk, OneGuestAtATimeAndStopMeansStop) {
  agree({{"face_recognition", true}});
  start();
  const auto job = box_.world().enrolments.back();
  start("s-2");
  EXPECT_EQ(last_word("s-2")["kind"], "failed");
  tablet({{"kind", "stop"}});
  EXPECT_TRUE(box_.world().enrolments.empty());
  // What the camera had under way comes too late.
  box_.engine().handle(daemon::input::Enrolled{job, kMia, face_of(kMia)}, box_.now());
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
  start("s-2");
  EXPECT_EQ(box_.world().enrolments.size(), 1U);
}

TEST_F(EnrolAtTheDesk, AWithdrawalWhileTheCameraLooksWins) {
  agree({{"face_recognition", true}});
  start();
  const auto face = face_of(kMia);
  box_.erase("c-mia", "k-1");
  camera_says(face);
  EXPECT_EQ(last_word()["kind"], "failed");
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
  // And what was erased is not entered again by a tablet.
  agree({{"face_recognition", true}});
  EXPECT_EQ(last_word()["kind"], "failed");
}

TEST_F(EnrolAtTheDesk, TheConsentOutlivesAPowerCutUntilTheCrmHasIt) {
  agree({{"face_recognition", true}});
  const json told = box_.events("consent.changed").at(0);
  box_.power_cycle();
  box_.links_up();
  start();
  EXPECT_EQ(box_.world().enrolments.size(), 1U);
  ASSERT_EQ(box_.store().people().desk_consents()->size(), 1U);

  // The CRM's record arrives with that step in its history.
  const auto rows = box_.store().people().desk_consents();
  feed(json::parse(rows->front().record));
  EXPECT_TRUE(box_.store().people().desk_consents()->empty());
  EXPECT_EQ(told["data"]["purpose"], "face_recognition");
}

TEST_F(EnrolAtTheDesk, WhoWithdrewWithTheCrmIsWithdrawnAfterAPowerCutToo) {
  agree({{"face_recognition", true}});
  box_.advance(1s);
  json record = json::parse(box_.store().people().desk_consents()->front().record);
  // The CRM has not heard of the desk yet.
  record["history"] = {
      {{"state", "withdrawn"}, {"at", contract::to_rfc3339(box_.now().wall)}, {"how", "app"}}};
  feed(record);
  box_.power_cycle();
  box_.links_up();
  start();
  EXPECT_EQ(last_word()["kind"], "failed");
  EXPECT_TRUE(box_.world().enrolments.empty());
}

TEST_F(EnrolAtTheDesk, AConsentThatTheCrmNeverConfirmsEnds) {
  enrol_mia();
  ASSERT_EQ(box_.store().people().templates_of(kMia)->size(), 1U);
  // The CRM goes on speaking, but not of her.
  for (int hour = 0; hour < 75; ++hour) {
    box_.skip(1h);
    box_.inbound(
        LinkName::uplink, box_prefix + "command",
        json{{"v", 1}, {"id", "d-" + std::to_string(hour)}, {"kind", "diagnostics"}}.dump());
  }
  EXPECT_TRUE(box_.store().people().desk_consents()->empty());
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
}

// They are at home in another region: no withdrawal of theirs would come here.
TEST_F(EnrolAtTheDesk, OfTwoThatTheCrmNeverConfirmsEachHasItsOwnTime) {
  box_.feed_policy({{"desk_witness", true}});
  const auto hours_pass = [&](int hours) {
    for (int hour = 0; hour < hours; ++hour) {
      box_.skip(1h);
      box_.inbound(
          LinkName::uplink, box_prefix + "command",
          json{{"v", 1}, {"id", "d-" + std::to_string(++commands_)}, {"kind", "diagnostics"}}
              .dump());
    }
    eva_ = box_.sign_in("eva");
  };
  const auto agree_before_tom = [&] {
    tablet({{"kind", "consent"},
            {"sign_in", eva_},
            {"customer", kMia.str()},
            {"purposes", {{"face_recognition", true}}},
            {"confirm", {{"by", "witness"}, {"staff", "tom"}, {"pin", "4711"}}},
            {"notice", {{"id", "desk-enrolment"}, {"version", "1"}, {"language", "en"}}}});
    box_.engine().handle(daemon::input::PinChecked{box_.world().pins.back().job, true}, box_.now());
  };
  agree_before_tom();
  hours_pass(40);
  agree_before_tom();
  ASSERT_EQ(box_.store().people().desk_consents()->size(), 2U);
  hours_pass(35);
  EXPECT_EQ(box_.store().people().desk_consents()->size(), 1U);
  start();
  EXPECT_EQ(box_.world().enrolments.size(), 1U) << "the second still counts";
  hours_pass(40);
  EXPECT_TRUE(box_.store().people().desk_consents()->empty());
}

TEST_F(EnrolAtTheDesk, WhatTheCrmTakesBackIsNotKnownHereAnyMore) {
  agree({{"face_recognition", true}});
  start();
  camera_says(face_of(kMia));
  ASSERT_EQ(box_.store().people().templates_of(kMia)->size(), 1U);
  const auto said = box_.events("consent.changed");
  box_.feed_deletion(said.at(0).at("data").at("record_id"), ++fed_);
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
  EXPECT_TRUE(box_.store().people().desk_consents()->empty());
  EXPECT_EQ(box_.events("consent.changed").size(), said.size()) << "nobody has withdrawn anything";
  EXPECT_THAT(box_.audit(), testing::Contains("consent crm face_recognition no longer known here"));
  box_.power_cycle();
  box_.links_up();
  start();
  EXPECT_EQ(last_word()["kind"], "failed");
}

TEST_F(EnrolAtTheDesk, WhatIsNotConfirmedAsHersIsTakenBack) {
  enrol_mia();
  const auto told = box_.events("consent.changed");
  ASSERT_EQ(told.size(), 2U);
  ASSERT_EQ(told[0]["data"]["purpose"], "face_recognition");
  EXPECT_TRUE(take_back(told[0], CustomerId("c-noa")));
  EXPECT_EQ(box_.store().people().desk_consents()->size(), 2U) << "that is somebody else's";
  EXPECT_TRUE(take_back(told[0]));
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
  EXPECT_EQ(box_.store().people().desk_consents()->size(), 1U) << "of the other event";
  EXPECT_TRUE(take_back(told[0])) << "twice is as once";
  box_.power_cycle();
  box_.links_up();
  start();
  EXPECT_EQ(last_word()["kind"], "failed");
}

// The CRM lets a pledge that is made again take the place of the one before.
TEST_F(EnrolAtTheDesk, WhatIsTakenBackOfAPledgeLeavesTheOneThatFollowedIt) {
  agree({{"face_recognition", true}});
  agree({{"face_recognition", true}});
  const auto told = box_.events("consent.changed");
  ASSERT_EQ(told.size(), 2U);
  take_back(told[0]);
  start();
  ASSERT_FALSE(box_.world().enrolments.empty());
  camera_says(face_of(kMia));
  EXPECT_EQ(box_.store().people().templates_of(kMia)->size(), 1U);
  box_.power_cycle();
  box_.links_up();
  EXPECT_EQ(box_.store().people().desk_consents()->size(), 1U);
  take_back(told[1]);
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
}

// ---- how it is confirmed ----

// What the box says of it, without what it says of the camera.
std::vector<std::string> confirmations(const std::vector<json>& words) {
  std::vector<std::string> out;
  for (const json& word : words) {
    if (word["kind"] == "confirmation") out.push_back(word["confirmed"]);
  }
  return out;
}

TEST_F(EnrolAtTheDesk, WhoEnteredItAndHowItIsConfirmedGoesWithTheGrant) {
  agree({{"face_recognition", true}, {"preference_prompts", true}});
  const auto told = box_.events("consent.changed");
  ASSERT_EQ(told.size(), 2U);
  for (const json& event : told) {
    EXPECT_EQ(event["data"]["staff"], "eva");
    EXPECT_EQ(event["data"]["confirm"]["by"], "phone") << "unless she says otherwise";
    EXPECT_EQ(event["data"]["confirm"]["pending"], told[0]["data"]["confirm"]["pending"])
        << "she is asked once";
  }
  EXPECT_EQ(confirmations(said("floor/to/tablet-1/enrol/")), std::vector<std::string>{"waiting"});
  feed(json::parse(box_.store().people().desk_consents()->front().record));
  EXPECT_EQ(confirmations(said("floor/to/tablet-1/enrol/")).back(), "yes");
  agree({{"face_recognition", false}});
  const json withdrawn = box_.events("consent.changed").back()["data"];
  EXPECT_FALSE(withdrawn.contains("confirm")) << "a no needs none";
  EXPECT_EQ(withdrawn["staff"], "eva");
}

TEST_F(EnrolAtTheDesk, WhatNobodyConfirmsEndsWithTheVisit) {
  enrol_mia();
  for (int i = 0; i < 300; ++i) {
    box_.hear_mia_for(2s);
    box_.skip(5s);
  }
  EXPECT_EQ(box_.store().people().desk_consents()->size(), 2U) << "she is still here";
  box_.power_cycle();
  box_.links_up();
  box_.hear_mia_for(2s);
  EXPECT_EQ(box_.store().people().desk_consents()->size(), 2U) << "a restart changes nothing";
  box_.skip(40min);
  box_.advance(1s);
  EXPECT_TRUE(box_.store().people().desk_consents()->empty());
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
}

TEST_F(EnrolAtTheDesk, WhoWasNeverHeardHasHalfAnHour) {
  agree({{"preference_prompts", true}});
  box_.skip(29min);
  EXPECT_EQ(box_.store().people().desk_consents()->size(), 1U);
  box_.skip(2min);
  EXPECT_TRUE(box_.store().people().desk_consents()->empty());
  EXPECT_EQ(confirmations(said("floor/to/tablet-1/enrol/")).back(), "expired");
}

TEST_F(EnrolAtTheDesk, AWitnessIsSomebodyElseWithTheirPinWhereThePolicyAllowsIt) {
  const auto agree_before = [&](const std::string& staff) {
    tablet({{"kind", "consent"},
            {"sign_in", eva_},
            {"customer", kMia.str()},
            {"purposes", {{"preference_prompts", true}}},
            {"confirm", {{"by", "witness"}, {"staff", staff}, {"pin", "4711"}}},
            {"notice", {{"id", "desk-enrolment"}, {"version", "1"}, {"language", "en"}}}});
  };
  const auto pin_is = [&](bool right) {
    box_.engine().handle(daemon::input::PinChecked{box_.world().pins.back().job, right},
                         box_.now());
  };
  const auto refusal = [&] {
    const auto all = said("floor/to/tablet-1/refused");
    return all.empty() ? std::string() : all.back()["cause"].get<std::string>();
  };
  const auto checks = box_.world().pins.size();
  agree_before("tom");
  EXPECT_EQ(refusal(), "no_witness");
  box_.feed_policy({{"desk_witness", true}});
  agree_before("eva");
  EXPECT_EQ(refusal(), "somebody_else");
  EXPECT_EQ(box_.world().pins.size(), checks) << "no PIN was looked at";
  agree_before("tom");
  EXPECT_EQ(box_.world().pins.back().pin, "4711");
  EXPECT_TRUE(box_.events("consent.changed").empty()) << "nobody has seen it yet";
  pin_is(false);
  EXPECT_EQ(refusal(), "wrong_pin");
  EXPECT_TRUE(box_.events("consent.changed").empty());
  agree_before("tom");
  pin_is(true);
  const auto told = box_.events("consent.changed");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0]["data"]["staff"], "eva");
  EXPECT_EQ(told[0]["data"]["confirm"], (json{{"by", "witness"}, {"staff", "tom"}}));
  EXPECT_EQ(told[0].dump().find("4711"), std::string::npos);
  box_.skip(2h);
  EXPECT_EQ(box_.store().people().desk_consents()->size(), 1U) << "it waits for the CRM's record";
}

// She had given it before, by the CRM's own record: that one stands again.
TEST_F(EnrolAtTheDesk, WhatTheCrmSignedBeforeOutlivesWhatTheDeskAddedToIt) {
  agree({{"face_recognition", true}});
  feed(json::parse(box_.store().people().desk_consents()->front().record));
  ASSERT_TRUE(box_.store().people().desk_consents()->empty()) << "the CRM has it";
  box_.advance(1min);
  agree({{"face_recognition", true}});
  start();
  camera_says(face_of(kMia));
  take_back(box_.events("consent.changed").back());
  EXPECT_TRUE(box_.store().people().desk_consents()->empty());
  EXPECT_EQ(box_.store().people().templates_of(kMia)->size(), 1U);
  start();
  EXPECT_EQ(box_.world().enrolments.size(), 2U) << "the camera may look";
}

// A pledge has no end, and is younger than whatever the CRM has.
TEST_F(EnrolAtTheDesk, WhatIsTakenBackLeavesTheCrmsRecordAsItWas) {
  agree({{"face_recognition", true}});
  auto signed_before = json::parse(box_.store().people().desk_consents()->front().record);
  const WallTime ends = box_.now().wall + 2h;
  signed_before["expires_at"] = contract::to_rfc3339(ends);
  feed(signed_before);
  box_.advance(1min);
  agree({{"face_recognition", true}});
  take_back(box_.events("consent.changed").back());
  start();
  EXPECT_EQ(box_.world().enrolments.size(), 1U) << "what the CRM signed holds";
  camera_says(face_of(kMia));
  box_.advance(2h);
  eva_ = box_.sign_in("eva");
  start();
  EXPECT_EQ(box_.world().enrolments.size(), 1U) << "and ends when it says";
  EXPECT_EQ(last_word()["kind"], "failed");
}

// Said on the way here, say, and the line was down.
TEST_F(EnrolAtTheDesk, AWithdrawalThatIsOlderThanAPledgeIsHeard) {
  agree({{"face_recognition", true}});
  auto theirs = json::parse(box_.store().people().desk_consents()->front().record);
  feed(theirs);
  start();
  camera_says(face_of(kMia));
  box_.advance(2min);
  agree({{"face_recognition", true}});
  theirs["history"].push_back({{"state", "withdrawn"},
                               {"at", contract::to_rfc3339(box_.now().wall - 1min)},
                               {"how", "app"}});
  feed(theirs);
  EXPECT_TRUE(box_.events("feed.rejected").empty());
  EXPECT_FALSE(box_.store().people().templates_of(kMia)->empty()) << "the pledge counts here";
  take_back(box_.events("consent.changed").back());
  EXPECT_TRUE(box_.store().people().templates_of(kMia)->empty());
  box_.power_cycle();
  box_.links_up();
  start();
  EXPECT_EQ(last_word()["kind"], "failed");
}

TEST_F(EnrolAtTheDesk, NotThisPersonRaisesTheBarForGood) {
  enrol_mia();
  box_.hear_mia_for(2s);
  ASSERT_TRUE(box_.world().gallery);
  const float just = static_cast<float>(box_.world().gallery->threshold()) + 0.02F;
  ASSERT_TRUE(accepted(just));

  vision::FaceMatch match;
  match.customer = kMia;
  match.similarity = 0.7;
  match.track = 1;
  match.generation = box_.world().gallery->generation();
  match.at = box_.now().mono;
  box_.engine().handle(daemon::input::Face{match, Zone::desk, {}}, box_.now());
  staff_say_not_this_person();
  EXPECT_FALSE(accepted(just));
  EXPECT_TRUE(accepted(0.9F));

  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  box_.hear_mia_for(2s);
  ASSERT_TRUE(box_.world().gallery);
  EXPECT_FALSE(accepted(just));
  EXPECT_TRUE(accepted(0.9F));

  // Another enrolment is another template.
  box_.link_up(LinkName::floor);
  start();
  camera_says(face_of(kMia));
  EXPECT_TRUE(accepted(just));
}

TEST_F(EnrolAtTheDesk, WhatWasGivenAtTheDeskStaysUntilTheCrmsRecordOfItIsStored) {
  agree({{"face_recognition", true}});
  const auto rows = *box_.store().people().desk_consents();
  ASSERT_EQ(rows.size(), 1U);
  box_.power_off();
  box_.refuse_to_store("INSERT ON feed_item");
  box_.power_on();
  box_.links_up();
  feed(json::parse(rows[0].record));
  EXPECT_EQ(box_.store().people().desk_consents()->size(), 1U)
      << "the CRM's record did not get to the disk";
  box_.power_off();
  box_.store_everything_again();
  box_.power_on();
  box_.links_up();
  start();
  EXPECT_EQ(box_.world().enrolments.size(), 1U) << "it still counts";
}

TEST_F(EnrolAtTheDesk, AConsentThatCannotBeStoredIsNotAgreedTo) {
  box_.power_off();
  box_.refuse_to_store("INSERT ON desk_consent");
  box_.power_on();
  box_.links_up();
  agree({{"face_recognition", true}});
  EXPECT_EQ(last_word()["kind"], "failed");
  EXPECT_TRUE(box_.store().people().desk_consents()->empty());
  start();
  EXPECT_TRUE(box_.world().enrolments.empty()) << "nobody is filmed on a consent that is not kept";
}

// ---- templates that follow her looks

class Ageing : public EnrolAtTheDesk {
 protected:
  Ageing() {
    enrol_mia();
    consent_names({"face_template", "face_template_ageing"});
  }

  // Her record at the CRM, with what was given at the desk.
  void consent_names(const std::vector<std::string>& categories) {
    json record = record_;
    if (record.is_null()) {
      const auto rows = box_.store().people().desk_consents();
      for (const auto& row : *rows) {
        record = json::parse(row.record);
        if (record["purpose"] == "face_recognition") break;
      }
    }
    record["data_categories"] = categories;
    record_ = record;
    feed(record);
  }
  void see_mia(float similarity) {
    vision::FaceMatch match;
    match.customer = kMia;
    match.similarity = static_cast<double>(similarity);
    match.track = 1;
    match.generation = box_.world().gallery->generation();
    match.at = box_.now().mono;
    if (box_.world().gallery->ageing(kMia) != nullptr) {
      match.view = vision::FaceTemplate(*box_.world().gallery->ageing(kMia), "test-model",
                                        like_mia(similarity));
    }
    box_.engine().handle(daemon::input::Face{match, Zone::desk, {}}, box_.now());
  }
  // She comes, is recognised by phone and face, and goes.
  void visit(float similarity = 0.8F) {
    box_.hear_mia_for(2s);
    see_mia(similarity);
    box_.hear_mia_for(2s);
    box_.advance(40s);
  }
  std::vector<store::TemplateRow> aged() {
    auto rows = *box_.store().people().templates_of(kMia);
    EXPECT_EQ(std::count_if(rows.begin(), rows.end(), [](const auto& r) { return !r.aged; }), 1);
    std::erase_if(rows, [](const auto& row) { return !row.aged; });
    return rows;
  }
  float like_aged(float similarity) {
    vision::Gallery::Builder only("test-model", {});
    EXPECT_TRUE(only.add(*box_.world().gallery->ageing(kMia),
                         *vision::FaceTemplate::from_bytes(aged().front().bytes)));
    return std::move(only).build(1)->match(like_mia(similarity))->similarity;
  }

  json record_;
};

TEST_F(Ageing, AConfirmedVisitCountsALittleAndNoMoreThanOnceADay) {
  visit();
  ASSERT_EQ(aged().size(), 1U);
  const auto first = aged().front();
  EXPECT_THAT(box_.audit(), testing::Contains("enrolment box aged by a visit"));
  box_.skip(1h);
  visit();
  EXPECT_EQ(aged().front().bytes, first.bytes);
  box_.skip(24h);
  box_.link_up(LinkName::uplink);
  consent_names({"face_template", "face_template_ageing"});  // the CRM is still there
  visit();
  ASSERT_EQ(aged().size(), 1U);
  EXPECT_NE(aged().front().bytes, first.bytes);
  box_.hear_mia_for(2s);
  EXPECT_GT(like_aged(0.8F), 0.82F);  // the enrolled one is at 0.8
}

TEST_F(Ageing, NeedsAConsentThatNamesItAndEndsWithIt) {
  visit();
  ASSERT_EQ(aged().size(), 1U);
  consent_names({"face_template"});
  EXPECT_TRUE(aged().empty());
  box_.skip(24h);
  consent_names({"face_template"});
  visit();
  EXPECT_TRUE(aged().empty());
}

TEST_F(Ageing, WhatFollowedHerLooksGoesWithTheRecordThatSaysSoOrNotAtAll) {
  visit();
  ASSERT_EQ(aged().size(), 1U);
  box_.power_off();
  box_.refuse_to_store("UPDATE ON feed_item");
  box_.power_on();
  box_.links_up();
  consent_names({"face_template"});
  const auto kept = box_.store().replica().find(store::Collection::consents, "r-mia-face");
  ASSERT_TRUE(kept);
  ASSERT_THAT(kept->body, HasSubstr("face_template_ageing")) << "the record was not stored";
  EXPECT_EQ(aged().size(), 1U);
}

TEST_F(Ageing, WhomStaffDidNotRecogniseDoesNotCount) {
  visit();
  ASSERT_EQ(aged().size(), 1U);
  box_.hear_mia_for(2s);
  see_mia(0.8F);
  staff_say_not_this_person();
  EXPECT_TRUE(aged().empty());
  box_.advance(40s);
  EXPECT_TRUE(aged().empty());
}

TEST_F(Ageing, AVisitWithoutAViewAndAViewThatIsHardlyHersDoNotCount) {
  box_.hear_mia_for(4s);
  box_.advance(40s);
  EXPECT_TRUE(aged().empty());
  visit(0.3F);
  EXPECT_TRUE(aged().empty());
}

}  // namespace
}  // namespace welcome
