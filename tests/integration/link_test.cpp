// SPDX-License-Identifier: Apache-2.0
// The link against a real mosquitto.

#include "sync/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "tests/integration/link_broker.h"
#include "tests/integration/link_peer.h"

namespace welcome::sync {

using namespace contract;
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using welcome::testing::Broker;
using welcome::testing::config_for;
using welcome::testing::kBox;
using welcome::testing::Peer;

LinkConfig box_config(const Broker& broker, std::uint64_t session = 1) {
  LinkConfig config = config_for(broker, "box-1");
  const auto topics = Subscriptions::box_uplink(kBox);
  config.subscriptions.assign(topics.begin(), topics.end());
  const WallTime at =
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  config.will = encode_state(kBox, {LinkState::offline, session, "0.1.0", at});
  config.birth = encode_state(kBox, {LinkState::online, session, "0.1.0", at});
  config.farewell = encode_state(kBox, {LinkState::stopped, session, "0.1.0", at});
  return config;
}

LinkConfig crm_config(const Broker& broker) {
  LinkConfig config = config_for(broker, "crm");
  const auto topics = Subscriptions::crm("demo");
  config.subscriptions.assign(topics.begin(), topics.end());
  return config;
}

Message event(const std::string& customer = "c-paul") {
  return encode_event(kBox, {MessageId(new_uuid()),
                             WallTime{},
                             CustomerId(customer),
                             HealthNews{"radio", "ok", "", {}},
                             {}});
}

// The last state that the CRM has seen, as one word.
std::string state_of(const Peer& crm) {
  for (auto it = crm.messages.rbegin(); it != crm.messages.rend(); ++it) {
    if (it->topic != state_topic(kBox)) continue;
    const auto decoded = decode_for_crm("demo", *it);
    if (!decoded) return "?";
    switch (std::get<BoxState>(decoded->message).state) {
      case LinkState::online:
        return "online";
      case LinkState::stopped:
        return "stopped";
      case LinkState::offline:
        return "offline";
    }
  }
  return "";
}

class LinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
  }
};

TEST_F(LinkTest, TellsUpAndAcknowledgesWhatTheBrokerTook) {
  const Broker broker;
  Peer crm(crm_config(broker)), box(box_config(broker));
  ASSERT_TRUE(crm.wait_up());
  ASSERT_TRUE(box.wait_up());
  const Message message = event();
  ASSERT_TRUE(box.link().publish(message, 41));
  ASSERT_TRUE(box.wait([](const Peer& peer) { return !peer.acked.empty(); }));
  EXPECT_EQ(box.acked.at(0), 41);
  ASSERT_TRUE(crm.wait([&](const Peer& peer) {
    return std::any_of(peer.messages.begin(), peer.messages.end(),
                       [&](const RawMessage& raw) { return raw.payload == message.payload; });
  }));
}

TEST_F(LinkTest, BirthFarewellAndWillTellTheStateTruthfully) {
  const Broker broker;
  Peer crm(crm_config(broker));
  ASSERT_TRUE(crm.wait_up());
  {
    Peer box(box_config(broker));
    ASSERT_TRUE(box.wait_up());
    ASSERT_TRUE(crm.wait([](const Peer& peer) { return state_of(peer) == "online"; }));
    box.link().stop();
  }
  EXPECT_TRUE(crm.wait([](const Peer& peer) { return state_of(peer) == "stopped"; }));
  // Another client with the box's id throws it out without a word: the will speaks.
  Peer box(box_config(broker, 2));
  ASSERT_TRUE(box.wait_up());
  LinkConfig thief = config_for(broker, "box-1");
  Peer other(thief);
  EXPECT_TRUE(crm.wait([](const Peer& peer) { return state_of(peer) == "offline"; }));
  EXPECT_TRUE(box.wait_down());
}

TEST_F(LinkTest, ALateComerLearnsTheStateFromTheRetainedMessage) {
  const Broker broker;
  Peer box(box_config(broker));
  ASSERT_TRUE(box.wait_up());
  Peer crm(crm_config(broker));
  EXPECT_TRUE(crm.wait([](const Peer& peer) { return state_of(peer) == "online"; }));
}

TEST_F(LinkTest, ComesBackAfterTheBrokerWasAway) {
  Broker broker;
  Peer box(box_config(broker));
  ASSERT_TRUE(box.wait_up());
  broker.stop();
  ASSERT_TRUE(box.wait_down());
  EXPECT_FALSE(box.link().publish(event(), 1));
  broker.start();
  ASSERT_TRUE(box.wait_up(2));
  ASSERT_TRUE(box.link().publish(event(), 2));
  EXPECT_TRUE(box.wait([](const Peer& peer) { return !peer.acked.empty(); }));
}

TEST_F(LinkTest, KeepsTryingWhileNobodyListensAndStopsAtOnce) {
  LinkConfig config;
  config.port = welcome::testing::free_port();
  config.client_id = "box-1";
  config.backoff_first = 50ms;
  config.backoff_max = 100ms;
  Peer box(config);
  ASSERT_TRUE(box.wait_down(3));
  const auto before = std::chrono::steady_clock::now();
  box.link().stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);
}

TEST_F(LinkTest, SaysThatANameCannotBeResolved) {
  LinkConfig config;
  config.host = "broker.invalid";
  config.client_id = "box-1";
  Peer box(config);
  ASSERT_TRUE(box.wait_down());
  EXPECT_THAT(box.downs.at(0).reason, HasSubstr("resolved"));
}

TEST_F(LinkTest, NoticesADeadLineWithinThirtySeconds) {
  Broker broker;
  LinkConfig config = box_config(broker);
  Peer box(config);
  ASSERT_TRUE(box.wait_up());
  broker.freeze();
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(box.wait_down(1, 40s));
  EXPECT_LT(std::chrono::steady_clock::now() - before, 30s);
  broker.thaw();
  EXPECT_TRUE(box.wait_up(2));
}

TEST_F(LinkTest, WaitsLongerAndLongerAndNeverTwiceTheSame) {
  LinkConfig config;
  config.port = welcome::testing::free_port();
  config.client_id = "box-1";
  config.backoff_first = 40ms;
  config.backoff_max = 640ms;
  Peer box(config);
  ASSERT_TRUE(box.wait_down(8));
  box.link().stop();
  std::set<std::chrono::milliseconds> waits;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto window = std::min<std::chrono::milliseconds>(640ms, 40ms * (1 << i));
    EXPECT_LE(box.downs[i].retry_in, window);
    EXPECT_GE(box.downs[i].retry_in, window / 10);
    waits.insert(box.downs[i].retry_in);
  }
  EXPECT_GE(waits.size(), 6U);
}

TEST_F(LinkTest, WhatTheBrokerRefusesComesBackWithItsReason) {
  welcome::testing::TempDir dir;
  std::ofstream(dir / "acl") << "topic write welcome/v1/demo/aroma-1/box-1/event\n";
  const Broker broker("allow_anonymous true\nacl_file " + (dir / "acl").string() + "\n");
  Peer box(config_for(broker, "box-1"));
  ASSERT_TRUE(box.wait_up());
  Message foreign = event();
  foreign.topic = "welcome/v1/demo/aroma-1/box-2/event";
  ASSERT_TRUE(box.link().publish(foreign, 5));
  ASSERT_TRUE(box.link().publish(event(), 6));
  ASSERT_TRUE(
      box.wait([](const Peer& peer) { return !peer.acked.empty() && !peer.refused.empty(); }));
  EXPECT_EQ(box.refused.at(0).tag, 5);
  EXPECT_EQ(box.refused.at(0).code, 0x87);
  EXPECT_TRUE(box.refused.at(0).for_good);
  EXPECT_EQ(box.acked.at(0), 6);
}

TEST_F(LinkTest, WrongPasswordsAreSaidPlainly) {
  welcome::testing::TempDir dir;
  ASSERT_EQ(welcome::testing::run_program(
                {"mosquitto_passwd", "-b", "-c", (dir / "passwords").string(), "box-1", "right"}),
            0);
  const Broker broker("password_file " + (dir / "passwords").string() + "\n");
  LinkConfig config = config_for(broker, "box-1");
  config.user = "box-1";
  config.password = "wrong";
  {
    Peer box(config);
    ASSERT_TRUE(box.wait_down());
    EXPECT_EQ(box.ups, 0);
    EXPECT_TRUE(box.downs.at(0).code == 0x87 || box.downs.at(0).code == 0x86);
  }
  config.password = "right";
  Peer box(config);
  EXPECT_TRUE(box.wait_up());
}

TEST_F(LinkTest, CommandsCarryTheirResponseTopicAndCorrelation) {
  const Broker broker;
  Peer box(box_config(broker)), crm(crm_config(broker));
  ASSERT_TRUE(box.wait_up());
  ASSERT_TRUE(crm.wait_up());
  Command command;
  command.id = MessageId("cmd-1");
  command.correlation = "ticket-9";
  ASSERT_TRUE(crm.link().publish(encode_command(kBox, command), 1));
  ASSERT_TRUE(box.wait_messages(1));
  const auto decoded = decode_for_box(kBox, box.messages.at(0));
  ASSERT_TRUE(decoded);
  const auto& got = std::get<Command>(*decoded);
  EXPECT_EQ(got.correlation, "ticket-9");
  CommandResponse response;
  response.command = got.id;
  ASSERT_TRUE(box.link().publish(encode_command_response(kBox, got, response), 2));
  EXPECT_TRUE(crm.wait([](const Peer& peer) {
    return std::any_of(peer.messages.begin(), peer.messages.end(), [](const RawMessage& raw) {
      return raw.topic == response_topic(kBox) && raw.correlation == "ticket-9";
    });
  }));
}

TEST_F(LinkTest, TheBrokerDropsAMessageThatHasExpired) {
  const Broker broker;
  Peer box(box_config(broker));
  ASSERT_TRUE(box.wait_up());
  Message soon = encode_prompt(Prompt{}), later = soon;
  soon.topic = "welcome/v1/floor/prompt/soon";
  later.topic = "welcome/v1/floor/prompt/later";
  ASSERT_TRUE(box.link().publish(soon, 1, 1s));
  ASSERT_TRUE(box.link().publish(later, 2, 3600s));
  ASSERT_TRUE(box.wait([](const Peer& peer) { return peer.acked.size() == 2; }));
  std::this_thread::sleep_for(2500ms);  // the broker's clock, not ours
  LinkConfig tablet = config_for(broker, "tablet-1");
  tablet.subscriptions = {"welcome/v1/floor/prompt/#"};
  Peer late(tablet);
  ASSERT_TRUE(late.wait_messages(1));
  EXPECT_EQ(late.messages.at(0).topic, later.topic);
  EXPECT_TRUE(late.messages.at(0).retained);
}

// Whoever has not dealt with what came gets no more, and the rest waits at the broker.
TEST_F(LinkTest, WhatIsNotDealtWithHoldsTheBrokerBack) {
  const Broker broker("allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n");
  Peer crm(crm_config(broker)), box(box_config(broker));
  box.keeps_receipts = true;
  ASSERT_TRUE(crm.wait_up());
  ASSERT_TRUE(box.wait_up());
  constexpr std::size_t kSent = 60;
  contract::FeedBatch heartbeat;
  heartbeat.epoch = "e1";
  const Message message = encode_feed(kBox, heartbeat);
  for (std::size_t i = 0; i < kSent; ++i) {
    ASSERT_TRUE(crm.link().publish(message, static_cast<std::int64_t>(i) + 10));
  }
  ASSERT_TRUE(crm.wait([](const Peer& peer) { return peer.acked.size() == kSent; }));
  ASSERT_TRUE(box.wait_messages(10));
  EXPECT_FALSE(box.wait_messages(kSent / 2, 500ms)) << "the broker keeps the rest";
  // In another order than they came.
  for (std::size_t taken = 0; taken < kSent;) {
    std::vector<Receipt> receipts;
    ASSERT_TRUE(box.wait([&](const Peer&) {
      receipts.swap(box.receipts);
      return !receipts.empty();
    }));
    taken += receipts.size();
    while (!receipts.empty()) receipts.pop_back();
  }
  EXPECT_TRUE(box.wait_messages(kSent));
  EXPECT_TRUE(box.downs.empty());
}

// Mosquitto 2.0.11 keeps to Receive Maximum until the first PUBACK only, and then sends as many
// for each as we take in all.
TEST_F(LinkTest, WhoSendsMoreThanWeTakeIsNotRead) {
  const Broker broker("allow_anonymous true\nmax_queued_messages 0\n");
  Peer crm(crm_config(broker)), box(box_config(broker));
  box.keeps_receipts = true;
  ASSERT_TRUE(crm.wait_up());
  ASSERT_TRUE(box.wait_up());
  constexpr std::size_t kSent = 600;
  constexpr std::size_t kDealtWith = 30;
  contract::FeedBatch heartbeat;
  heartbeat.epoch = "e1";
  Message message = encode_feed(kBox, heartbeat);
  message.payload.assign(60'000, 'x');
  for (std::size_t i = 0; i < kSent; ++i) {
    ASSERT_TRUE(crm.link().publish(message, static_cast<std::int64_t>(i) + 10));
  }
  ASSERT_TRUE(crm.wait([](const Peer& peer) { return peer.acked.size() == kSent; }));
  for (std::size_t n = 0; n < kDealtWith; ++n) {
    Receipt first;
    ASSERT_TRUE(box.wait([&](const Peer&) {
      if (box.receipts.empty()) return false;
      first = std::move(box.receipts.front());
      box.receipts.erase(box.receipts.begin());
      return true;
    }));
  }
  // Some of what TCP held is read at once.
  EXPECT_FALSE(box.wait_messages(kDealtWith + 80, 1s));
  ASSERT_TRUE(box.wait([&](const Peer&) {
    box.keeps_receipts = false;
    box.receipts.clear();
    return true;
  }));
  EXPECT_TRUE(box.wait_messages(kSent)) << "and nothing is lost";
  EXPECT_TRUE(box.downs.empty());
}

// A receipt may be let go of after its line, and after the link.
TEST_F(LinkTest, AReceiptMayOutliveItsLink) {
  const Broker broker;
  std::vector<Receipt> receipts;
  {
    Peer crm(crm_config(broker)), box(box_config(broker));
    box.keeps_receipts = true;
    ASSERT_TRUE(crm.wait_up());
    ASSERT_TRUE(box.wait_up());
    contract::FeedBatch heartbeat;
    heartbeat.epoch = "e1";
    ASSERT_TRUE(crm.link().publish(encode_feed(kBox, heartbeat), 1));
    ASSERT_TRUE(box.wait([&](const Peer&) {
      receipts.swap(box.receipts);
      return !receipts.empty();
    }));
  }
  receipts.clear();
}

TEST_F(LinkTest, TheQueueSaysNoBeforeItGrows) {
  Broker broker;
  LinkConfig config = box_config(broker);
  config.queue = 5;
  Peer box(config);
  ASSERT_TRUE(box.wait_up());
  broker.freeze();
  int taken = 0;
  for (int i = 0; i < 100'000 && box.link().publish(event(), i + 1); ++i) ++taken;
  EXPECT_LT(taken, 100'000);
  broker.thaw();
}

}  // namespace
}  // namespace welcome::sync
