// SPDX-License-Identifier: Apache-2.0
// The engine between the store and the links: what it makes of the feed, and of what the broker
// says about its messages.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/bench_box.h"

namespace welcome {
namespace {

using namespace std::chrono_literals;
using contract::LinkName;
using nlohmann::json;
using test::bench_address;

class EngineSyncTest : public testing::Test {
 protected:
  EngineSyncTest() : box_(test::kStart) { box_.link_up(LinkName::uplink); }

  json status() { return box_.engine().status(box_.now()); }

  static contract::FeedItem profile(const std::string& id, std::uint64_t seq,
                                    const std::string& name = "Somebody") {
    contract::FeedItem item;
    item.key = id;
    item.seq = seq;
    item.value = json{{"customer", id}, {"name", name}}.dump();
    return item;
  }
  static contract::FeedBatch snapshot(std::vector<contract::FeedItem> items, std::uint32_t part,
                                      std::uint32_t parts, const contract::Digest& digest) {
    contract::FeedBatch batch;
    batch.collection = contract::Collection::profiles;
    batch.epoch = "e1";
    batch.snapshot = true;
    batch.to_seq = 10;
    batch.part = part;
    batch.parts = parts;
    batch.digest = digest.hex();
    batch.items = std::move(items);
    return batch;
  }
  void receive(const contract::FeedBatch& batch) {
    const auto message = encode_feed(bench_address, batch);
    box_.inbound(LinkName::uplink, message.topic, message.payload);
  }
  int profiles() { return status()["crm"]["feed"]["profiles"]["items"].get<int>(); }

  // Something to tell the CRM.
  void tell_something(const std::string& about) { box_.have_an_item_refused(about); }
  void answer(const sync::LinkEvent& event) {
    box_.engine().handle(daemon::input::FromLink{LinkName::uplink, event, {}}, box_.now());
  }

  test::BenchBox box_;
};

// Where nothing is signed the CRM says no time, and somebody else does so after it has spoken.
TEST_F(EngineSyncTest, WhatTheCrmSaidBeforeSomebodyKnewTheTimeCountsAfterwards) {
  box_.set_wall(0ms, false);
  const WallTime said = box_.now().wall;
  receive(snapshot({}, 1, 1, {}));
  box_.advance(20s);
  box_.set_wall(0ms, true);
  box_.advance(1s);
  EXPECT_EQ(status()["crm"]["last_heard"], contract::to_rfc3339(said));
}

// The name of a device, or what it answers, may be any bytes; whoever asks must not end the box.
TEST_F(EngineSyncTest, DiagnosticsAreAnsweredWhateverADeviceSays) {
  box_.world().status = [] {
    return json{{"cameras", {{"main", {{"why", "/dev/v\xe9 is gone"}}}}}};
  };
  contract::Command command;
  command.id = MessageId("d-1");
  command.kind = contract::Command::Kind::diagnostics;
  const auto message = encode_command(bench_address, command);
  box_.inbound(LinkName::uplink, message.topic, message.payload);
  ASSERT_FALSE(box_.sent("/response").empty());
  EXPECT_EQ(box_.sent("/response").back()["result"]["cameras"]["main"]["why"],
            "/dev/v\xef\xbf\xbd is gone");
}

TEST_F(EngineSyncTest, AConfigurationOfAnyBytesIsWrittenDown) {
  box_.engine().note_config({{"camera.path", "/dev/v\xe9"}}, box_.now());
  const auto trail = box_.engine().audit_trail();
  ASSERT_TRUE(trail);
  EXPECT_EQ(trail->back()["kind"], "config");
}

// Who looks every few seconds makes no decision wait.
TEST_F(EngineSyncTest, WhatIsAtHandOfTheStatusCountsNothingInTheStore) {
  const json whole = status();
  const json vitals = box_.engine().vitals(box_.now());
  for (const auto& [part, value] : vitals.items()) {
    if (!value.is_object()) continue;
    for (const auto& [name, known] : value.items()) {
      EXPECT_EQ(known, whole[part][name]) << part << "." << name;
    }
  }
  EXPECT_TRUE(whole["crm"].contains("feed"));
  EXPECT_FALSE(vitals["crm"].contains("feed"));
  EXPECT_FALSE(vitals.contains("outbox"));
  EXPECT_FALSE(vitals["store"].contains("customers"));
}

TEST_F(EngineSyncTest, HalfASnapshotHealsAfterARestart) {
  contract::Digest digest;
  for (const char* id : {"a", "b"}) digest.toggle(id, id[0] == 'a' ? 1 : 2);
  receive(snapshot({profile("a", 1)}, 1, 2, digest));
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  EXPECT_TRUE(box_.sent("/hello").back()["have"].empty()) << "not received as a whole";
  receive(snapshot({profile("b", 2)}, 2, 2, digest));
  EXPECT_EQ(status()["crm"]["gaps"], 1) << "a part without its beginning";
  receive(snapshot({profile("a", 1)}, 1, 2, digest));
  receive(snapshot({profile("b", 2)}, 2, 2, digest));
  EXPECT_EQ(profiles(), 2);
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  EXPECT_EQ(box_.sent("/hello").back()["have"]["profiles"]["digest"], digest.hex());
}

TEST_F(EngineSyncTest, WhatAFinishedSnapshotDoesNotHaveIsGone) {
  contract::Digest both, one;
  both.toggle("a", 1);
  both.toggle("b", 2);
  one.toggle("b", 3);
  receive(snapshot({profile("a", 1), profile("b", 2)}, 1, 1, both));
  auto next = snapshot({profile("b", 3)}, 1, 1, one);
  next.epoch = "e2";
  receive(next);
  EXPECT_EQ(profiles(), 1);
  EXPECT_FALSE(box_.store().replica().find(store::Collection::profiles, "a"));
}

TEST_F(EngineSyncTest, ASnapshotThatIsNotWhatItsDigestSaysSweepsNothingAndIsAskedForAgain) {
  contract::Digest digest;
  digest.toggle("a", 1);
  receive(snapshot({profile("a", 1)}, 1, 1, digest));
  box_.advance(2s);
  auto lie = snapshot({profile("b", 2)}, 1, 1, digest);
  lie.epoch = "e2";
  receive(lie);
  EXPECT_EQ(profiles(), 1);
  EXPECT_FALSE(box_.sent("/hello").back()["have"].contains("profiles")) << "it asks for everything";
}

TEST_F(EngineSyncTest, AnItemThatCannotBeReadIsReportedAndTheLastGoodOneStays) {
  contract::Digest digest, after;
  digest.toggle("a", 1);
  receive(snapshot({profile("a", 1, "Paul")}, 1, 1, digest));
  contract::FeedBatch delta;
  delta.collection = contract::Collection::profiles;
  delta.epoch = "e1";
  delta.from_seq = 10;
  delta.to_seq = 12;
  delta.items = {profile("a", 11), profile("b", 12)};
  delta.items[0].value = R"({"customer":"a","name":7})";
  receive(delta);
  EXPECT_EQ(box_.sent("/event").back()["data"]["key"], "a");
  EXPECT_EQ(profiles(), 2);
  const auto kept = box_.store().replica().find(store::Collection::profiles, "a");
  ASSERT_TRUE(kept);
  EXPECT_EQ(json::parse(kept->body)["name"], "Paul");
  box_.link_down(LinkName::uplink);
  box_.link_up(LinkName::uplink);
  EXPECT_EQ(box_.sent("/hello").back()["have"]["profiles"]["seq"], 12);
}

// ---- identities that cannot be

class EngineIdentitiesTest : public EngineSyncTest {
 protected:
  static contract::FeedItem irk(const std::string& id, const std::string& customer,
                                std::uint64_t seq,
                                const std::string& key = "c2a94d1087e35f6b0b7d9e4421a6f83c") {
    contract::FeedItem item;
    item.key = id;
    item.seq = seq;
    item.value =
        json{{"identity", id}, {"customer", customer}, {"kind", "irk"}, {"irk", key}}.dump();
    return item;
  }
  static contract::FeedItem gone(const std::string& id, std::uint64_t seq) {
    contract::FeedItem item;
    item.key = id;
    item.seq = seq;
    item.deleted = true;
    return item;
  }
  void first(std::vector<contract::FeedItem> items) {
    contract::Digest digest;
    for (const auto& item : items) digest.toggle(item.key, item.seq);
    auto batch = snapshot(std::move(items), 1, 1, digest);
    batch.collection = contract::Collection::identities;
    receive(batch);
  }
  void next(std::vector<contract::FeedItem> items) {
    contract::FeedBatch delta;
    delta.collection = contract::Collection::identities;
    delta.epoch = "e1";
    delta.from_seq = seq_;
    delta.to_seq = seq_ = items.back().seq;
    delta.items = std::move(items);
    receive(delta);
  }
  bool knows(const std::string& id) {
    return box_.store().replica().find(store::Collection::identities, id).has_value();
  }
  std::vector<json> rejected() {
    std::vector<json> out;
    for (const auto& event : box_.sent("/event")) {
      if (event["type"] == "com.welcomed.feed.rejected.v1") out.push_back(event["data"]);
    }
    return out;
  }

 private:
  std::uint64_t seq_ = 10;
};

TEST_F(EngineIdentitiesTest, AKeyThatIsNoneIsSetAsideAndReported) {
  first({irk("i-a", "a", 1, "ec0234a357c8ad05341010a60a397d9b"),
         irk("i-b", "b", 2, std::string(32, '0')), irk("i-c", "c", 3)});
  EXPECT_FALSE(knows("i-a"));
  EXPECT_FALSE(knows("i-b"));
  EXPECT_TRUE(knows("i-c"));
  const auto said = rejected();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0]["key"], "i-a");
  EXPECT_THAT(said[0]["reason"].get<std::string>(), testing::HasSubstr("published"));
  EXPECT_THAT(said[1]["reason"].get<std::string>(), testing::HasSubstr("zeros"));
}

TEST_F(EngineIdentitiesTest, ADeviceOfTwoCustomersIsTheFirstOnesAndIsReported) {
  first({irk("i-a", "a", 1), irk("i-b", "b", 2)});
  EXPECT_TRUE(knows("i-a"));
  EXPECT_FALSE(knows("i-b"));
  ASSERT_EQ(rejected().size(), 1U);
  EXPECT_EQ(rejected()[0]["key"], "i-b");
  EXPECT_THAT(rejected()[0]["reason"].get<std::string>(), testing::HasSubstr("another customer"));
  // Written the other way round it is the same phone's, and so it is after a start.
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  next({irk("i-c", "c", 11, "3cf8a621449e7d0b6b5fe387104da9c2")});
  EXPECT_FALSE(knows("i-c"));
  // The same customer may have it twice.
  next({irk("i-a2", "a", 12)});
  EXPECT_TRUE(knows("i-a2"));
}

TEST_F(EngineIdentitiesTest, ADeviceThatGoesToAnotherCustomerInOneBatchIsTheirs) {
  first({irk("i-a", "a", 1)});
  next({irk("i-b", "b", 11), gone("i-a", 12)});
  EXPECT_TRUE(rejected().empty());
  EXPECT_TRUE(knows("i-b"));
  next({irk("i-b", "c", 13)});  // the same identity, another customer's
  EXPECT_TRUE(rejected().empty());
}

TEST_F(EngineIdentitiesTest, WhatCannotBeReadLeavesTheDeviceToWhoHasIt) {
  first({irk("i-a", "a", 1)});
  next({irk("i-a", "a", 11, "no key")});
  EXPECT_TRUE(knows("i-a"));
  next({irk("i-b", "b", 12)});
  EXPECT_FALSE(knows("i-b"));
  EXPECT_EQ(rejected().size(), 2U);
}

TEST_F(EngineIdentitiesTest, TheDeviceOfWhoIsErasedIsFree) {
  first({irk("i-a", "a", 1), irk("i-b", "b", 2)});
  EXPECT_FALSE(knows("i-b"));
  const auto hellos = box_.sent("/hello").size();
  box_.erase("a", "00000000-0000-4000-8000-0000000000fe");
  ASSERT_GT(box_.sent("/hello").size(), hellos);
  EXPECT_FALSE(box_.sent("/hello").back()["have"].contains("identities"));
  first({irk("i-b", "b", 2)});
  EXPECT_TRUE(knows("i-b"));
}

TEST_F(EngineIdentitiesTest, WhoWasRefusedADeviceIsAskedForAfterARestartToo) {
  first({irk("i-a", "a", 1), irk("i-b", "b", 2)});
  box_.power_cycle();
  box_.link_up(LinkName::uplink);
  EXPECT_FALSE(knows("i-b"));
  const auto hellos = box_.sent("/hello").size();
  next({gone("i-a", 12)});
  ASSERT_EQ(box_.sent("/hello").size(), hellos + 1);
  EXPECT_FALSE(box_.sent("/hello").back()["have"].contains("identities"));
  first({irk("i-b", "b", 2)});
  EXPECT_TRUE(knows("i-b"));
  EXPECT_TRUE(box_.store().journal().states(StateRow::Kind::device)->empty()) << "and not again";
}

TEST_F(EngineIdentitiesTest, WhoWasRefusedADeviceIsAskedForWhenItIsFree) {
  first({irk("i-a", "a", 1), irk("i-b", "b", 2)});
  const auto hellos = box_.sent("/hello").size();
  next({gone("i-x", 11)});
  EXPECT_EQ(box_.sent("/hello").size(), hellos);
  next({gone("i-a", 12)});
  ASSERT_EQ(box_.sent("/hello").size(), hellos + 1);
  EXPECT_FALSE(box_.sent("/hello").back()["have"].contains("identities"));
  first({irk("i-b", "b", 2)});
  EXPECT_TRUE(knows("i-b"));
  EXPECT_EQ(box_.sent("/hello").size(), hellos + 1) << "and not again";
}

TEST_F(EngineSyncTest, EventsWaitUntilTheCrmHasSpokenOnThisConnection) {
  box_.link_down(LinkName::uplink);
  tell_something("a");
  box_.crm_answers = false;
  box_.link_up(LinkName::uplink);
  box_.advance(10s);
  EXPECT_TRUE(box_.sent("/event").empty()) << "a broker throws away what nobody subscribed to";
  EXPECT_THAT(status()["links"]["uplink"]["why"], testing::HasSubstr("the CRM has not spoken yet"));
  tell_something("b");
  EXPECT_EQ(box_.sent("/event").size(), 2U);
  EXPECT_FALSE(status()["links"]["uplink"].contains("why"));
}

TEST_F(EngineSyncTest, ARefusedMessageIsTriedAgainAfterAPause) {
  box_.broker_acks = false;
  tell_something("a");
  const auto row = box_.world().unacked.front().second;
  box_.world().unacked.clear();
  answer(sync::Refused{row, 0x97, false});
  box_.advance(1500ms);
  EXPECT_EQ(box_.sent("/event").size(), 1U);
  box_.advance(2s);
  EXPECT_EQ(box_.sent("/event").size(), 2U);
}

TEST_F(EngineSyncTest, AnOfferThatTheBrokerRefusesForGoodWasNotSent) {
  box_.feed_shop();
  box_.broker_acks = false;
  const auto here = box_.feed_an_offer();
  box_.hear_mia_for(3s);
  const auto offers = box_.events("decision.offer");
  ASSERT_EQ(offers.size(), 1U);
  const auto facts = [&] { return *box_.store().journal().facts(CustomerId("c-mia")); };
  const auto learner = [&] {
    const auto rows = *box_.store().journal().states(StateRow::Kind::store);
    return std::any_of(rows.begin(), rows.end(),
                       [](const StateRow& row) { return row.key.starts_with("learner:"); });
  };
  ASSERT_TRUE(facts());
  ASSERT_THAT(*facts(), testing::HasSubstr(here));
  box_.refuse(offers[0]["id"], 0x99, true);
  box_.advance(1s);
  box_.ack_all();
  EXPECT_THAT(facts().value_or(""), testing::Not(testing::HasSubstr(here)))
      << "no cap is used up by what she never got";
  EXPECT_FALSE(learner()) << "and nothing is learnt from it";
  EXPECT_EQ(status()["outbox"]["refused"], 1);
  EXPECT_EQ(box_.store().outbox().count()->uplink, 0) << "it holds nothing up";
  EXPECT_TRUE(box_.store().journal().states(StateRow::Kind::decision)->empty());
}

TEST_F(EngineSyncTest, AFullQueueOfTheLinkHoldsNothingBack) {
  box_.broker_acks = false;
  box_.world().full = true;
  for (int i = 0; i < 5; ++i) tell_something(std::to_string(i));
  EXPECT_TRUE(box_.sent("/event").empty());
  box_.world().full = false;
  box_.advance(2s);
  EXPECT_EQ(box_.sent("/event").size(), 5U);
}

TEST_F(EngineSyncTest, AcknowledgementsOfAFullWindowAreWrittenTogether) {
  box_.broker_acks = false;
  for (int i = 0; i < 200; ++i) tell_something(std::to_string(i));
  ASSERT_EQ(box_.world().unacked.size(), 200U);
  const auto ack_one = [&] {
    answer(sync::Acked{box_.world().unacked.front().second});
    box_.world().unacked.pop_front();
  };
  for (int i = 0; i < 80; ++i) ack_one();
  EXPECT_EQ(status()["outbox"]["uplink"], 200);
  for (int i = 0; i < 20; ++i) ack_one();
  EXPECT_EQ(status()["outbox"]["uplink"], 100);
  ack_one();
  box_.advance(50ms);
  EXPECT_EQ(status()["outbox"]["uplink"], 99) << "or when the loop comes by";
}

TEST_F(EngineSyncTest, NoExportLeavesTheBoxThatIsNotInTheAuditTrail) {
  box_.feed_shop();
  box_.power_off();
  box_.refuse_to_store("INSERT ON audit", "NEW.kind = 'export'");
  box_.power_on();
  box_.links_up();
  contract::RawMessage raw;
  raw.topic = test::box_prefix + "command";
  raw.payload = json{{"v", 1}, {"id", "c-1"}, {"kind", "export"}, {"customer", "c-mia"}}.dump();
  raw.response_topic = test::box_prefix + "response";
  answer(raw);
  box_.advance(2s);
  for (const json& answer : box_.sent("/response")) EXPECT_EQ(answer["ok"], false);
  EXPECT_FALSE(box_.engine().export_person(CustomerId("c-mia"), box_.now()));
}

TEST_F(EngineSyncTest, AnAnswerRepeatsTheCorrelationOfItsCommand) {
  contract::RawMessage raw;
  raw.topic = test::box_prefix + "command";
  raw.payload = json{{"v", 1}, {"id", "c-1"}, {"kind", "diagnostics"}}.dump();
  raw.response_topic = test::box_prefix + "response";
  raw.correlation = "question-7";
  answer(raw);
  box_.ack_all();
  const auto& sent = box_.world().sent;
  const auto found = std::find_if(sent.begin(), sent.end(), [](const auto& one) {
    return one.message.topic.ends_with("/response");
  });
  ASSERT_NE(found, sent.end());
  EXPECT_EQ(found->message.correlation, "question-7");
}

TEST_F(EngineSyncTest, ACommandWithoutAResponseTopicIsAnsweredOnTheBoxesOwnAndTheAnswerExpires) {
  contract::RawMessage raw;
  raw.topic = test::box_prefix + "command";
  raw.payload = json{{"v", 1}, {"id", "c-1"}, {"kind", "diagnostics"}}.dump();
  answer(raw);
  const auto answers = box_.sent("/response");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0]["ok"], true);
  EXPECT_EQ(box_.world().sent.back().expiry, 3600s);
}

// Such as field/sync/command-unknown-kind.json.
TEST_F(EngineSyncTest, AnUnknownCommandIsAnsweredWithAnError) {
  contract::RawMessage raw;
  raw.topic = test::box_prefix + "command";
  raw.payload = R"({"v":1,"id":"bad-1","kind":"reboot"})";
  raw.correlation = "question-8";
  answer(raw);
  const auto answers = box_.sent("/response");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0]["id"], "bad-1");
  EXPECT_EQ(answers[0]["ok"], false);
  EXPECT_FALSE(answers[0]["error"].get<std::string>().empty());
  EXPECT_EQ(box_.world().sent.back().message.correlation, "question-8");
  EXPECT_EQ(status()["crm"]["refused"]["malformed"], 1);
}

TEST_F(EngineSyncTest, ACommandThatWantsItsAnswerElsewhereIsNotCarriedOut) {
  box_.feed_shop();
  contract::RawMessage raw;
  raw.topic = test::box_prefix + "command";
  raw.payload = json{{"v", 1}, {"id", "c-1"}, {"kind", "export"}, {"customer", "c-mia"}}.dump();
  for (const char* topic : {"welcome/v1/demo/+/box-1/response", "somewhere/else"}) {
    raw.response_topic = topic;
    answer(raw);
    EXPECT_TRUE(box_.sent("somewhere/else").empty());
    const auto answers = box_.sent("/response");
    ASSERT_FALSE(answers.empty());
    EXPECT_EQ(answers.back()["ok"], false);
    EXPECT_FALSE(answers.back().contains("result"));
  }
  EXPECT_EQ(status()["crm"]["refused"]["refused"], 2);
}

TEST_F(EngineSyncTest, AnAnswerThatTheBrokerDoesNotTakeIsAnErrorInstead) {
  box_.link_down(LinkName::uplink);
  answer(sync::LinkUp{100, 400});
  contract::RawMessage raw;
  raw.topic = test::box_prefix + "command";
  raw.payload = json{{"v", 1}, {"id", "c-1"}, {"kind", "diagnostics"}}.dump();
  answer(raw);
  const auto answers = box_.sent("/response");
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0]["ok"], false);
  EXPECT_THAT(answers[0]["error"].get<std::string>(), testing::HasSubstr("larger than"));
}

TEST_F(EngineSyncTest, WhatTheBrokerRefusesTwiceIsSetAsideWithItsReasonAndTheCrmHears) {
  box_.broker_acks = false;
  tell_something("a");
  const auto row = box_.world().unacked.front().second;
  const auto refuse = [&](int code, const char* why) {
    box_.world().unacked.clear();
    answer(sync::Refused{row, code, false, why});
    box_.advance(3s);
  };
  refuse(0x97, "quota exceeded");
  refuse(0x97, "quota exceeded");
  EXPECT_EQ(status()["outbox"]["uplink"], 1) << "a broker that is full will have room again";
  refuse(0x80, "unspecified error");
  EXPECT_EQ(status()["outbox"]["uplink"], 1) << "once may be chance";
  refuse(0x80, "unspecified error");
  EXPECT_EQ(status()["outbox"]["set_aside"]["unspecified error"], 1);
  const auto health = box_.events("health");
  ASSERT_FALSE(health.empty());
  EXPECT_EQ(health.back()["data"]["counters"]["unspecified error"], 1);
}

TEST_F(EngineSyncTest, ABoxWithoutAPolicySaysSoAndAgainWhenItHasOne) {
  EXPECT_EQ(status()["decisions"]["policy"], false);
  tell_something("a");  // the CRM has spoken: what is to be told goes
  box_.advance(30s);
  EXPECT_TRUE(box_.events("health").empty()) << "a fresh box gets one with its first feed";
  box_.advance(40s);
  auto health = box_.events("health");
  ASSERT_EQ(health.size(), 1U);
  EXPECT_EQ(health[0]["data"]["part"], "policy");
  EXPECT_EQ(health[0]["data"]["state"], "degraded");
  box_.feed_shop();
  box_.advance(2s);
  EXPECT_EQ(status()["decisions"]["policy"], true);
  health = box_.events("health");
  ASSERT_EQ(health.size(), 2U);
  EXPECT_EQ(health[1]["data"]["state"], "ok");
}

// Of a time zone that this box does not know: the policy before it stays, and a fresh box has none.
TEST_F(EngineSyncTest, APolicyThatIsRefusedIsNone) {
  contract::Digest digest;
  digest.toggle("policy", 1);
  box_.inbound(LinkName::uplink, feed_topic(bench_address, contract::Collection::policy),
               json{{"v", 1},
                    {"collection", "policy"},
                    {"epoch", "e"},
                    {"kind", "snapshot"},
                    {"part", 1},
                    {"parts", 1},
                    {"to_seq", 1},
                    {"digest", digest.hex()},
                    {"items",
                     {{{"seq", 1},
                       {"op", "put"},
                       {"key", "policy"},
                       {"value", {{"time_zone", "Mars/Olympus_Mons"}}}}}}}
                   .dump());
  box_.advance(1s);
  const auto rejected = box_.events("feed.rejected");
  ASSERT_EQ(rejected.size(), 1U);
  EXPECT_EQ(rejected[0]["data"]["collection"], "policy");
  EXPECT_EQ(status()["decisions"]["policy"], false);
}

TEST_F(EngineSyncTest, ARehearsalThatIsNotInTheAuditTrailDoesNotBegin) {
  box_.power_off();
  box_.refuse_to_store("INSERT ON audit", "NEW.kind = 'rehearsal'");
  box_.power_on();
  box_.links_up();
  EXPECT_FALSE(box_.engine().start_rehearsal(box_.now()));
  EXPECT_EQ(status()["rehearsal"], false);
}

TEST_F(EngineSyncTest, AfterMessagesWereLostItSaysHelloAlsoWhenItJustDid) {
  const auto before = box_.sent("/hello").size();
  box_.engine().lost_messages(box_.now());
  box_.engine().lost_messages(box_.now());
  box_.advance(2s);
  EXPECT_EQ(box_.sent("/hello").size(), before + 2);
}

}  // namespace
}  // namespace welcome
