// SPDX-License-Identifier: Apache-2.0
// A broker, or somebody who got into it, that sends what it should not: the box refuses it piece by
// piece, keeps its line, and hears the next honest message.

#include <gtest/gtest.h>

#include "contract/signing.h"
#include "tests/integration/link_broker.h"
#include "tests/integration/link_peer.h"

namespace welcome::sync {

using namespace contract;
namespace {

using namespace std::chrono_literals;
using welcome::testing::Broker;
using welcome::testing::config_for;
using welcome::testing::kBox;
using welcome::testing::Peer;

LinkConfig busy(const Broker& broker, const std::string& client) {
  LinkConfig config = config_for(broker, client);
  config.queue = 20'000;
  return config;
}

LinkConfig busy_box(const Broker& broker) {
  LinkConfig config = busy(broker, "box-1");
  const auto topics = Subscriptions::box_uplink(kBox);
  config.subscriptions.assign(topics.begin(), topics.end());
  return config;
}

Message on(const std::string& topic, std::string payload, bool retain = false) {
  Message message;
  message.topic = topic;
  message.payload = std::move(payload);
  message.retain = retain;
  return message;
}

// The box is fine if a signed command still gets through.
bool still_hears(Peer& liar, Peer& box, const Signer& crm, const KeyRing& keys,
                 const std::string& id) {
  Command command;
  command.id = MessageId(id);
  command.expires_at = WallTime{};  // the engine looks at that
  if (!liar.link().publish(encode_command(kBox, command, &crm), 1'000'000)) return false;
  std::size_t looked_at = 0;
  return box.wait([&](const Peer& peer) {
    for (; looked_at < peer.messages.size(); ++looked_at) {
      const auto decoded = decode_for_box(kBox, peer.messages[looked_at], &keys);
      if (!decoded) continue;
      const auto* got = std::get_if<Command>(&*decoded);
      if (got != nullptr && got->id == command.id) return true;
    }
    return false;
  });
}

class LinkHostileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
    keys_.pin("k1", crm_.public_key());
  }

  const Signer crm_{"k1", Signer::new_seed()};
  KeyRing keys_;
};

TEST_F(LinkHostileTest, JunkOfEveryKindIsRefusedAndTheLineStays) {
  const Broker broker;
  Peer liar(busy(broker, "liar"));
  ASSERT_TRUE(liar.wait_up());
  // Retained junk is there before the box comes.
  ASSERT_TRUE(liar.link().publish(
      on(command_topic(kBox), R"({"v":1,"id":"x","kind":"erase","customer":"c"})", true), 1));
  ASSERT_TRUE(liar.link().publish(on(control_topic("demo", kAllStores), "{}", true), 2));
  ASSERT_TRUE(liar.wait([](const Peer& peer) { return peer.acked.size() == 2; }));
  Peer box(busy_box(broker));
  ASSERT_TRUE(box.wait_up());

  std::string deep(200'000, '[');
  const std::vector<Message> junk{
      on(feed_topic(kBox, Collection::consents), deep),
      on(feed_topic(kBox, Collection::profiles), std::string("\xFF\xFE\x00\x01", 4)),
      on("welcome/v1/demo/aroma-1/box-1/feed/weather", "{}"),
      on(command_topic(kBox), ""),
      on(command_topic(kBox), R"({"v":1,"id":"x","kind":"erase","customer":"c-paul"})"),
      on(control_topic("demo", "aroma-1"),
         R"({"v":1,"id":"x","seq":9007199254740991,"tenant":"demo","store":"aroma-1","function":"all","paused":true,"at":"2026-05-04T08:15:30.250Z"})"),
      on(feed_topic(kBox, Collection::policy), std::string(3'900'000, ' ')),
  };
  std::int64_t tag = 10;
  for (const Message& message : junk) ASSERT_TRUE(liar.link().publish(message, ++tag));
  EXPECT_TRUE(still_hears(liar, box, crm_, keys_, "after-junk"));
  EXPECT_TRUE(box.downs.empty());
  int accepted = 0;
  box.wait([&](const Peer& peer) {
    accepted = 0;
    for (const RawMessage& raw : peer.messages) {
      if (decode_for_box(kBox, raw, &keys_)) ++accepted;
    }
    return true;
  });
  EXPECT_EQ(accepted, 1);
}

TEST_F(LinkHostileTest, APacketBeyondTheLimitIsNotEvenDelivered) {
  const Broker broker;
  Peer liar(busy(broker, "liar")), box(busy_box(broker));
  ASSERT_TRUE(liar.wait_up());
  ASSERT_TRUE(box.wait_up());
  ASSERT_TRUE(liar.link().publish(
      on(feed_topic(kBox, Collection::profiles), std::string(8'000'000, 'x')), 1));
  EXPECT_TRUE(still_hears(liar, box, crm_, keys_, "after-8-MB"));
  EXPECT_TRUE(box.downs.empty());
  for (const RawMessage& raw : box.messages) EXPECT_LE(raw.payload.size(), kMaxPayload);
}

TEST_F(LinkHostileTest, AFloodDelaysButDoesNotDrown) {
  const Broker broker("allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n");
  Peer liar(busy(broker, "liar")), box(busy_box(broker));
  ASSERT_TRUE(liar.wait_up());
  ASSERT_TRUE(box.wait_up());
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(liar.link().publish(
        on(feed_topic(kBox, Collection::profiles), R"({"v":1,"collection":"profiles"})"), i + 10));
  }
  EXPECT_TRUE(still_hears(liar, box, crm_, keys_, "after-flood"));
  EXPECT_TRUE(box.downs.empty());
}

}  // namespace
}  // namespace welcome::sync
