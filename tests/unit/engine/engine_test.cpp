// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/engine.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/hex.h"
#include "harness/bench_box.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;
using test::box_prefix;
using test::kStart;
using testing::HasSubstr;

class EngineTest : public testing::Test {
 protected:
  explicit EngineTest(test::BenchSetup setup = {}) : box_(kStart, std::move(setup)) {
    box_.links_up();
  }

  json status() { return box_.engine().status(box_.now()); }

  void send_feed(const std::string& collection, json batch) {
    batch["v"] = 1;
    batch["collection"] = collection;
    box_.inbound(LinkName::uplink, box_prefix + "feed/" + collection, batch.dump());
  }

  test::BenchBox box_;
};

TEST_F(EngineTest, SaysHelloWithWhatItHasAtEveryConnect) {
  ASSERT_EQ(box_.sent("/hello").size(), 1U);
  EXPECT_TRUE(box_.sent("/hello")[0]["have"].empty());
  box_.feed_shop();
  box_.link_down(LinkName::uplink);
  box_.link_up(LinkName::uplink);
  const auto hello = box_.sent("/hello").back();
  EXPECT_EQ(hello["have"]["consents"]["seq"], 11);
  EXPECT_EQ(hello["have"]["policy"]["seq"], 1);
}

TEST_F(EngineTest, WhatTheRadioLearntOfADeviceOutlivesARestartButNotHerConsent) {
  box_.feed_shop();
  const auto kept = [&] { return *box_.store().journal().states(StateRow::Kind::device); };
  const auto visit = [&] {
    box_.hear_mia_for(70s);
    box_.advance(30s);
  };
  visit();
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(kept()[0].customer, CustomerId("c-mia"));
  EXPECT_EQ(json::parse(*kept()[0].value)["visits"], 1);
  box_.power_cycle();
  visit();
  ASSERT_EQ(kept().size(), 1U);
  EXPECT_EQ(json::parse(*kept()[0].value)["visits"], 2);
  EXPECT_THAT(box_.engine().export_person(CustomerId("c-mia"), box_.now())->dump(),
              HasSubstr("nearest_tenths_db"));

  box_.link_up(LinkName::uplink);
  visit();
  box_.feed_step_of_consent("c-mia", "proximity_offers", "withdrawn");
  EXPECT_TRUE(kept().empty());
  box_.advance(5s);
  EXPECT_TRUE(kept().empty());
}

// Somebody records the address of a phone, and sends it hours later: no name on the tablets, not
// even after a restart. The phone itself has another address by then.
TEST_F(EngineTest, ARecordedAddressMakesNoPrompt) {
  box_.feed_shop();
  const auto phone = beacon::testing::phone("c-paul", 4, 0, beacon::IdentityKind::irk);
  send_feed("identities", {{"kind", "delta"},
                           {"epoch", "c7319d2f-53e9-43d7-a28d-8ec073f9daf2"},
                           {"from_seq", 3},
                           {"to_seq", 4},
                           {"items",
                            {{{"key", "i-paul-irk"},
                              {"op", "put"},
                              {"seq", 4},
                              {"value",
                               {{"identity", "i-paul-irk"},
                                {"customer", "c-paul"},
                                {"kind", "irk"},
                                {"irk", to_hex(phone.key)}}}}}}});
  const auto prompts_after_hearing = [&](std::uint32_t prand) {
    const auto before = box_.sent("floor/prompt/").size();
    for (int i = 0; i < 300; ++i) {
      auto report = beacon::testing::report({}, -62, box_.now());
      report.address = beacon::testing::address_of(phone, prand);
      box_.engine().handle(daemon::input::Adverts{{report}, {}}, box_.now());
      box_.advance(200ms);
    }
    const auto after = box_.sent("floor/prompt/").size();
    box_.skip(3h);
    box_.advance(1s);
    return after - before;
  };
  EXPECT_GT(prompts_after_hearing(1), 0U);
  box_.power_cycle();
  box_.links_up();
  EXPECT_EQ(prompts_after_hearing(1), 0U);
  EXPECT_GT(prompts_after_hearing(2), 0U);
}

TEST_F(EngineTest, ADeviceThatTheCrmTakesBackIsForgotten) {
  box_.feed_shop();
  box_.hear_mia_for(70s);
  box_.advance(30s);
  ASSERT_EQ(box_.store().journal().states(StateRow::Kind::device)->size(), 1U);
  box_.set_wall(0s, false);  // nobody counts while the clock is not set: no reason to forget
  box_.advance(5s);
  ASSERT_EQ(box_.store().journal().states(StateRow::Kind::device)->size(), 1U);
  box_.set_wall(0s, true);
  box_.advance(5s);
  send_feed("identities", {{"kind", "snapshot"},
                           {"epoch", "00000000-0000-4000-8000-00000000000e"},
                           {"to_seq", 0},
                           {"part", 1},
                           {"parts", 1},
                           {"digest", std::string(32, '0')},
                           {"items", json::array()}});
  EXPECT_EQ(status()["crm"]["feed"]["identities"]["items"], 0);
  EXPECT_TRUE(box_.store().journal().states(StateRow::Kind::device)->empty());
}

TEST_F(EngineTest, NobodyIsKnownWithoutTheFeed) {
  box_.hear_mia_for(3s);
  EXPECT_EQ(status()["radio"]["identified"], 0);
  box_.feed_shop();
  box_.hear_mia_for(3s);
  EXPECT_GT(status()["radio"]["identified"], 0);
  EXPECT_EQ(status()["radio"]["distance"]["near"], 1);
}

TEST_F(EngineTest, AGapMakesItAskAgainAndChangesNothing) {
  box_.feed_shop();
  box_.advance(2s);
  const auto before = box_.sent("/hello").size();
  send_feed("profiles", {{"kind", "delta"},
                         {"epoch", "another"},
                         {"from_seq", 9},
                         {"to_seq", 10},
                         {"items", json::array()}});
  EXPECT_EQ(box_.sent("/hello").size(), before + 1);
  EXPECT_EQ(status()["crm"]["gaps"], 1);
  EXPECT_EQ(status()["crm"]["feed"]["profiles"]["items"], 3);
}

TEST_F(EngineTest, AMalformedMessageIsCountedAndTheRestGoesOn) {
  box_.inbound(LinkName::uplink, box_prefix + "feed/profiles", "{ not json");
  box_.inbound(LinkName::uplink, box_prefix + "feed/profiles", "{\"v\":1}");
  box_.inbound(LinkName::floor, "welcome/v1/floor/tablet/t/action/x", "[]");
  EXPECT_EQ(status()["crm"]["refused"]["malformed"], 3);
  box_.feed_shop();
  EXPECT_EQ(status()["crm"]["feed"]["profiles"]["items"], 3);
}

TEST_F(EngineTest, AWithdrawalUnloadsTheKeysAtOnceAndForGood) {
  box_.feed_shop();
  box_.hear_mia_for(3s);
  ASSERT_FALSE(box_.engine().visits().empty());
  box_.feed_step_of_consent("c-mia", "proximity_offers", "withdrawn");
  EXPECT_TRUE(box_.engine().visits().empty()) << "the visit is over and not listed";
  const auto known = status()["radio"]["identified"].get<int>();
  box_.hear_mia_for(3s);
  EXPECT_EQ(status()["radio"]["identified"], known) << "the fob is a stranger's now";
  box_.power_cycle();
  box_.hear_mia_for(3s);
  EXPECT_EQ(status()["radio"]["identified"], 0);
}

TEST_F(EngineTest, WhatTheBrokerDidNotTakeIsSentAgainUnderTheSameId) {
  box_.feed_shop();
  box_.broker_acks = false;
  box_.world().sent.clear();
  send_feed("campaigns", {{"kind", "delta"},
                          {"epoch", "x"},
                          {"from_seq", 0},
                          {"to_seq", 1},
                          {"items", json::array()}});
  box_.erase("c-mia", "00000000-0000-4000-8000-0000000000ff");
  const auto first = box_.events("erasure.receipt");
  ASSERT_EQ(first.size(), 1U);
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  const auto both = box_.events("erasure.receipt");
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0]["id"], both[1]["id"]);
  box_.ack_all();
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  EXPECT_EQ(box_.events("erasure.receipt").size(), 2U);
}

TEST_F(EngineTest, AnErasureThatIsAskedForAgainIsReportedAgain) {
  const auto erase = [&](const char* customer) {
    box_.erase(customer, "00000000-0000-4000-8000-0000000000fd");
  };
  box_.feed_shop();
  erase("c-mia");
  ASSERT_EQ(box_.events("erasure.receipt").size(), 1U);
  // The CRM lost what the broker had acknowledged.
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  ASSERT_EQ(box_.events("erasure.receipt").size(), 1U);
  erase("c-mia");
  const auto receipts = box_.events("erasure.receipt");
  ASSERT_EQ(receipts.size(), 2U);
  EXPECT_EQ(receipts[0]["data"], receipts[1]["data"]) << "the same, and the same signature";
  erase("c-paul");
  EXPECT_EQ(box_.events("erasure.receipt").size(), 2U) << "that request was about somebody else";

  box_.broker_acks = false;
  erase("c-mia");
  erase("c-mia");
  EXPECT_EQ(status()["outbox"]["uplink"], 2) << "one report and one answer wait at most";
}

TEST_F(EngineTest, TheReceiptIsSignedByTheBoxAndSaysThatTheBytesAreGone) {
  box_.feed_shop();
  box_.erase("c-mia", "req-1");
  const auto receipts = box_.events("erasure.receipt");
  ASSERT_EQ(receipts.size(), 1U);
  const json& data = receipts[0]["data"];
  EXPECT_EQ(data["command"], "req-1");
  EXPECT_EQ(data["box"], "box-1");
  EXPECT_EQ(data["bytes_gone"], true);
  EXPECT_GT(data["erased"]["feed_item"], 0);
  contract::KeyRing ring;
  ring.pin("box-1", *contract::public_key_from_text(box_.engine().public_key()));
  EXPECT_TRUE(ring.verify(data.dump()));
}

// Whoever kept what the CRM signed with a time that was still to come sends it again.
TEST_F(EngineTest, WhoWasErasedComesBackByNoGrantThatTheCrmSignedBefore) {
  box_.feed_shop();
  const CustomerId mia("c-mia");
  json record = json::parse(
      box_.store().replica().of_customer(store::Collection::consents, mia)->front().body);
  const auto given = [&](std::chrono::minutes after, int nth) {
    record["history"] = {
        {{"state", "given"}, {"at", contract::to_rfc3339(test::kStart + after)}, {"how", "app"}}};
    box_.feed_consent(record, nth);
  };
  const json erase{{"v", 1},
                   {"id", "req-1"},
                   {"kind", "erase"},
                   {"customer", "c-mia"},
                   {"at", contract::to_rfc3339(test::kStart + 4min)}};
  box_.inbound(contract::LinkName::uplink, test::box_prefix + "command", erase.dump());
  const auto erased = [&] { return box_.store().erasure().erased_at(mia)->has_value(); };
  ASSERT_TRUE(erased());
  box_.advance(6min);
  given(4min, 1);
  EXPECT_TRUE(erased());
  given(5min, 2);
  EXPECT_FALSE(erased());
}

TEST_F(EngineTest, ABoxWhoseBytesDoNotGoSaysSoAndAgainWhenTheyHave) {
  box_.feed_shop();
  const auto copy = box_.dir() / "welcomed.db.copy-of-somebody";
  std::filesystem::copy_file(box_.dir() / "welcomed.db-wal", copy);
  box_.erase("c-mia", "req-1");
  ASSERT_EQ(box_.events("erasure.receipt").size(), 1U);
  EXPECT_EQ(box_.events("erasure.receipt")[0]["data"]["bytes_gone"], false);
  box_.erase("c-mia", "req-1");
  EXPECT_EQ(box_.events("erasure.receipt").back()["data"]["bytes_gone"], false);
  std::filesystem::remove(copy);
  box_.skip(61min);
  box_.advance(1s);
  const json last = box_.events("erasure.receipt").back();
  EXPECT_EQ(last["data"]["bytes_gone"], true);
  EXPECT_EQ(last["subject"], "c-mia");
  const auto told = box_.events("erasure.receipt").size();
  box_.skip(61min);
  box_.advance(1s);
  EXPECT_EQ(box_.events("erasure.receipt").size(), told) << "once is enough";
}

TEST_F(EngineTest, AnErasedPersonIsInNoFileAndDoesNotComeBack) {
  box_.feed_shop();
  box_.hear_mia_for(2s);
  box_.erase("c-mia", "00000000-0000-4000-8000-0000000000fe");
  EXPECT_EQ(box_.events("erasure.receipt").size(), 1U);
  const auto known = status()["radio"]["identified"].get<int>();
  box_.hear_mia_for(3s);
  EXPECT_EQ(status()["radio"]["identified"], known);
  box_.feed_shop();  // late items of the same feed
  box_.power_cycle();
  box_.hear_mia_for(3s);
  EXPECT_EQ(status()["radio"]["identified"], 0);
}

TEST_F(EngineTest, WhatWasAgreedBeforeAnErasureDoesNotCountForWhoComesBack) {
  box_.feed_shop();
  box_.erase("c-paul", "00000000-0000-4000-8000-0000000000fd");
  box_.advance(1s);
  const auto may_be_enrolled = [&] {
    return box_.engine()
        .enrol(
            CustomerId("c-paul"), test::a_clip(), box_.now(), [](auto&) {}, [](auto) {})
        .has_value();
  };
  box_.feed_step_of_consent("c-paul", "proximity_offers", "given");
  for (int start = 0; start < 2; ++start) {
    box_.feed_shop();  // with all that he had agreed to before: an old copy, sent again
    EXPECT_FALSE(may_be_enrolled()) << "at start " << start;
    box_.power_cycle();
    box_.link_up(LinkName::uplink);
  }
  box_.feed_step_of_consent("c-paul", "face_recognition", "given");
  EXPECT_TRUE(may_be_enrolled());
}

TEST_F(EngineTest, APauseHoldsAfterARestartWithoutALine) {
  box_.feed_shop();
  box_.inbound(LinkName::uplink, "welcome/v1/demo/_all/control",
               json{{"v", 1},
                    {"id", "00000000-0000-4000-8000-0000000000aa"},
                    {"seq", 1},
                    {"tenant", "demo"},
                    {"store", "_all"},
                    {"function", "offers"},
                    {"paused", true},
                    {"at", contract::to_rfc3339(kStart)}}
                   .dump());
  EXPECT_EQ(status()["paused"], json::array({"offers"}));
  EXPECT_EQ(box_.sent("floor/status").back()["paused"], json::array({"offers"}));
  box_.power_cycle();
  EXPECT_EQ(status()["paused"], json::array({"offers"}));
}

TEST_F(EngineTest, SaysHowFarItIsWithinASecondOfGettingThere) {
  box_.feed_shop();
  box_.inbound(LinkName::uplink, "welcome/v1/demo/_all/control",
               json{{"v", 1},
                    {"id", "00000000-0000-4000-8000-0000000000aa"},
                    {"seq", 1'764'000'000'000},
                    {"tenant", "demo"},
                    {"store", "_all"},
                    {"function", "offers"},
                    {"paused", true},
                    {"at", contract::to_rfc3339(kStart)}}
                   .dump());
  box_.advance(1100ms);
  const auto said = box_.sent("/hello");
  EXPECT_EQ(said.back().value("confirms", false), true);
  EXPECT_EQ(said.back()["have"]["consents"]["seq"], 11);
  EXPECT_EQ(said.back()["control"], 1'764'000'000'000);
  box_.advance(10s);
  EXPECT_EQ(box_.sent("/hello").size(), said.size()) << "once, and nothing more";
}

// A CRM that was restored from a backup says less than the box has, and notices by the box's word.
TEST_F(EngineTest, SaysSoWithinASecondWhenItIsAheadOfWhatTheCrmSays) {
  box_.feed_shop();
  box_.advance(10s);
  const auto said = box_.sent("/hello");
  const json have = said.back()["have"]["consents"];
  contract::FeedBatch heartbeat;
  heartbeat.collection = contract::Collection::consents;
  heartbeat.epoch = have["epoch"];
  heartbeat.from_seq = heartbeat.to_seq = have["seq"].get<std::uint64_t>() - 1;
  heartbeat.digest = contract::Digest().hex();
  const auto message = contract::encode_feed(test::bench_address, heartbeat);
  box_.inbound(LinkName::uplink, message.topic, message.payload);
  box_.advance(1100ms);
  ASSERT_EQ(box_.sent("/hello").size(), said.size() + 1);
  const json again = box_.sent("/hello").back();
  EXPECT_EQ(again.value("confirms", false), true) << "it asks for nothing";
  EXPECT_EQ(again["have"]["consents"], have);
}

TEST_F(EngineTest, ARehearsalIsOnTheTabletsAndNowhereElse) {
  box_.feed_shop();
  ASSERT_TRUE(box_.engine().start_rehearsal(box_.now()));
  EXPECT_FALSE(box_.engine().start_rehearsal(box_.now())) << "it runs already";
  EXPECT_EQ(box_.sent("floor/status").back()["rehearsal"], true);
  EXPECT_EQ(status()["rehearsal"], true);
  const auto uplink_before = box_.sent("/event").size();
  box_.advance(60s);
  const auto prompts = box_.sent("floor/prompt/");
  ASSERT_FALSE(prompts.empty());
  EXPECT_EQ(prompts[0]["rehearsal"], true);
  EXPECT_EQ(prompts[0]["greet"]["name"], "Ada Example");
  const std::string visit = prompts[0]["visit"];
  box_.feed_staff({"eva"});
  box_.tablet_says("action/" + visit,
                   {{"visit", visit}, {"sign_in", box_.sign_in()}, {"kind", "greeted"}});
  EXPECT_EQ(box_.sent("floor/prompt/").back()["state"], "greeted");
  EXPECT_EQ(box_.sent("/event").size(), uplink_before);
  EXPECT_TRUE(box_.engine().outbox().empty());
  EXPECT_TRUE(box_.engine().visits().empty());
  EXPECT_TRUE(box_.engine().decisions().empty());

  ASSERT_TRUE(box_.engine().stop_rehearsal(box_.now()));
  EXPECT_TRUE(box_.sent("floor/prompt/" + visit).back().is_null()) << "cleared";
  EXPECT_EQ(box_.sent("floor/status").back()["rehearsal"], false);
  const auto then = box_.world().sent.size();
  box_.advance(120s);
  for (auto i = then; i < box_.world().sent.size(); ++i) {
    EXPECT_EQ(box_.world().sent[i].message.topic.find("prompt"), std::string::npos);
  }
}

TEST_F(EngineTest, ABoxThatWasKilledInARehearsalTakesItsGuestsAway) {
  box_.feed_shop();
  ASSERT_TRUE(box_.engine().start_rehearsal(box_.now()));
  box_.advance(30s);
  ASSERT_FALSE(box_.sent("floor/prompt/").empty());
  const std::string visit = box_.sent("floor/prompt/").back()["visit"];
  box_.power_cycle();
  box_.links_up();
  EXPECT_TRUE(box_.sent("floor/prompt/" + visit).back().is_null());
  EXPECT_EQ(box_.sent("floor/status").back()["rehearsal"], false);
  EXPECT_TRUE(box_.sent("/event").empty());
}

TEST_F(EngineTest, AFloorBrokerThatForgotIsToldOfEverybodyAndThenThatThisIsAll) {
  box_.feed_shop();
  box_.report_presence("c-paul");
  box_.advance(1s);
  const auto prompts = box_.sent("floor/prompt/");
  ASSERT_FALSE(prompts.empty());
  const json shown = prompts.back();
  ASSERT_FALSE(shown.is_null());
  EXPECT_EQ(box_.sent("floor/status").back()["told_all"], true);

  box_.link_down(LinkName::floor);
  box_.world().sent.clear();
  box_.broker_acks = false;
  box_.link_up(LinkName::floor);
  // He sits still: nothing of him has changed.
  std::vector<std::string> said;
  for (const auto& [message, at, expiry] : box_.world().sent) {
    if (message.topic.find("floor/prompt/") != std::string::npos) {
      const json prompt = json::parse(message.payload);
      EXPECT_EQ(prompt["visit"], shown["visit"]);
      EXPECT_EQ(prompt["greet"], shown["greet"]);
      EXPECT_TRUE(message.retain);
      said.emplace_back("prompt");
    } else if (message.topic.find("floor/status") != std::string::npos) {
      said.emplace_back(json::parse(message.payload)["told_all"] == true ? "all" : "not yet");
    }
  }
  EXPECT_EQ(said, (std::vector<std::string>{"not yet", "prompt", "all"}));
}

TEST_F(EngineTest, WhatWaitedForTheFloorBelongsToAll) {
  box_.feed_shop();
  box_.report_presence("c-paul");
  box_.advance(1s);
  ASSERT_FALSE(box_.sent("floor/prompt/").empty());
  box_.link_down(LinkName::floor);
  box_.advance(60s);  // he leaves, and his card is still there
  box_.world().sent.clear();
  box_.broker_acks = false;
  box_.link_up(LinkName::floor);
  box_.advance(1s);
  ASSERT_FALSE(box_.world().unacked.empty()) << "his card is taken away";
  EXPECT_EQ(box_.sent("floor/status").back()["told_all"], false);
  box_.ack_all();
  box_.advance(1s);
  EXPECT_EQ(box_.sent("floor/status").back()["told_all"], true);
}

TEST_F(EngineTest, TabletsHearOfADiskInTroubleThoughNobodyMovesAndNobodySpeaks) {
  box_.power_off();
  box_.refuse_to_store("INSERT ON meta", "NEW.name = 'clock'");
  box_.power_on();
  box_.links_up();
  box_.feed_shop();
  box_.advance(2min);
  std::vector<json> troubles;
  for (const json& status : box_.sent("floor/status")) {
    if (troubles.empty() || troubles.back() != status["trouble"])
      troubles.push_back(status["trouble"]);
  }
  const json none = json::array();
  const json store = {"store"};
  EXPECT_THAT(troubles, ::testing::IsSupersetOf({none, store}));
  EXPECT_EQ(troubles.back(), none) << "and of its end";
}

TEST_F(EngineTest, AVisitHasATimeLineThatEndsWithItAndGoesWithTheConsent) {
  box_.feed_shop();
  box_.hear_mia_for(3s);
  const std::string visit = box_.engine().visits().at(0)["visit"];
  box_.advance(40s);
  const auto lines = [&] {
    std::string all;
    const auto why = box_.engine().why(visit);
    if (why) {
      for (const auto& line : (*why)["lines"]) all += line.get<std::string>() + "\n";
    }
    return all;
  };
  EXPECT_THAT(lines(), HasSubstr("came in, zone"));
  EXPECT_THAT(lines(), HasSubstr("ended: left"));
  box_.power_cycle();
  EXPECT_THAT(lines(), HasSubstr("came in, zone")) << "it is stored";
  box_.feed_step_of_consent("c-mia", "proximity_offers", "withdrawn");
  EXPECT_EQ(lines(), "");
}

// A box whose floor broker other boxes of the store use, too.
class SharedFloorTest : public EngineTest {
 protected:
  SharedFloorTest()
      : EngineTest({{}, {}, [](daemon::EngineSettings& s) { s.pipeline.shared_store = true; }}) {
    box_.feed_shop();
    send_feed("campaigns", {{"kind", "delta"},
                            {"epoch", "bec530e2-9874-4ebb-b99e-21026d702301"},
                            {"from_seq", 1},
                            {"to_seq", 2},
                            {"items",
                             {{{"op", "put"},
                               {"seq", 2},
                               {"key", "k-all"},
                               {"value",
                                {{"campaign", "k-all"},
                                 {"name", "For all"},
                                 {"trigger", {{"on", "enter"}}},
                                 {"cap", {{"per_customer", 1}, {"per", "day"}}},
                                 {"variants",
                                  {{{"id", "a"},
                                    {"title", {{"en", "Hello"}}},
                                    {"text", {{"en", "A coffee?"}}}}}}}}}}}});
    box_.hear_mia_for(8s);
  }
  void say(const json& word) {
    box_.inbound(LinkName::floor, "welcome/v1/floor/offer/" + word["decision"].get<std::string>(),
                 word.dump());
  }
};

TEST_F(SharedFloorTest, AnOfferLeavesWhenTheStoreHasHeardOfItAndTheStoreHearsThatItLeft) {
  ASSERT_EQ(box_.sent("floor/offer/").size(), 1U);
  const json word = box_.sent("floor/offer/")[0];
  EXPECT_EQ(word["sent"], false);
  EXPECT_EQ(word.dump().find("c-mia"), std::string::npos);
  EXPECT_TRUE(box_.events("decision.offer").empty());
  box_.power_cycle();
  box_.links_up();
  EXPECT_TRUE(box_.events("decision.offer").empty()) << "it still waits";
  say(word);
  ASSERT_EQ(box_.events("decision.offer").size(), 1U);
  EXPECT_EQ(box_.events("decision.offer")[0]["id"], word["decision"]);
  EXPECT_EQ(box_.sent("floor/offer/").back()["sent"], true);
}

TEST_F(SharedFloorTest, AnOfferThatComesSecondIsTakenBackAndSaysWhy) {
  const json word = box_.sent("floor/offer/").at(0);
  json first = word;
  first["box"] = "box-2";
  first["decision"] = "00000000-0000-4000-8000-00000000beef";
  say(first);
  say(word);
  box_.advance(1s);
  EXPECT_TRUE(box_.events("decision.offer").empty());
  EXPECT_TRUE(box_.sent("floor/offer/" + word["decision"].get<std::string>()).back().is_null());
  const auto decisions = box_.engine().decisions();
  const auto late = std::find_if(decisions.begin(), decisions.end(),
                                 [](const json& d) { return d["reason"] == "cap_campaign"; });
  ASSERT_NE(late, decisions.end());
  EXPECT_THAT(box_.engine().why((*late)["id"])->dump(), HasSubstr("another box was first"));
}

TEST_F(EngineTest, WhyOfAnUnknownIdSaysWhereToLook) {
  const auto answer = box_.engine().why("nothing");
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("welcomectl decisions"));
}

TEST_F(EngineTest, EnrolmentNeedsConsent) {
  box_.feed_shop();
  const auto refused = box_.engine().enrol(CustomerId("c-mia"), test::a_clip(), box_.now(), {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_TRUE(box_.world().enrolments.empty());
  EXPECT_TRUE(box_.engine().enrol(CustomerId("c-paul"), test::a_clip(), box_.now(), {}, {}));
  EXPECT_EQ(box_.world().enrolments.size(), 1U);
}

TEST_F(EngineTest, SilenceOfTheCrmMeansNoConsent) {
  box_.feed_shop();
  box_.hear_mia_for(1s);
  ASSERT_FALSE(box_.engine().visits().empty());
  box_.link_down(LinkName::uplink);
  // 72 h on, in one step: nobody was heard meanwhile.
  box_.skip(73h);
  const auto known = status()["radio"]["identified"].get<int>();
  box_.hear_mia_for(2s);
  EXPECT_EQ(status()["radio"]["identified"], known);
}

}  // namespace
}  // namespace welcome
