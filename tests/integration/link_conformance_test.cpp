// SPDX-License-Identifier: Apache-2.0
// Our MQTT 5 against somebody else's: what the link sends, Eclipse Paho reads as it was meant, and
// the other way round, through a real mosquitto.

#include <gtest/gtest.h>
#include <mqtt/async_client.h>

#include "tests/integration/link_broker.h"
#include "tests/integration/link_peer.h"

namespace welcome::sync {

using namespace contract;
namespace {

using namespace std::chrono_literals;
using welcome::testing::Broker;
using welcome::testing::kBox;
using welcome::testing::Peer;

class LinkConformanceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!Broker::installed()) GTEST_SKIP() << "mosquitto is not installed";
    broker_.emplace();
    paho_ =
        std::make_unique<::mqtt::async_client>("tcp://127.0.0.1:" + std::to_string(broker_->port()),
                                               "paho", ::mqtt::create_options(MQTTVERSION_5));
    paho_->start_consuming();
    paho_->connect(::mqtt::connect_options_builder().mqtt_version(MQTTVERSION_5).finalize())
        ->wait();
    paho_->subscribe("welcome/#", 1)->wait();
  }
  void TearDown() override {
    if (paho_ && paho_->is_connected()) paho_->disconnect()->wait();
  }

  LinkConfig config() const {
    LinkConfig config;
    config.port = broker_->port();
    config.client_id = "box-1";
    config.backoff_first = 100ms;
    const auto topics = Subscriptions::box_uplink(kBox);
    config.subscriptions.assign(topics.begin(), topics.end());
    config.will = encode_state(kBox, {LinkState::offline, 1, "0.2.0", {}});
    return config;
  }
  ::mqtt::const_message_ptr next_at_paho() {
    ::mqtt::const_message_ptr message;
    if (!paho_->try_consume_message_for(&message, 10s)) return nullptr;
    return message;
  }

  std::optional<Broker> broker_;
  std::unique_ptr<::mqtt::async_client> paho_;
};

TEST_F(LinkConformanceTest, WhatTheLinkSendsIsReadAsItWasMeant) {
  Peer box(config());
  ASSERT_TRUE(box.wait_up());
  Message out;
  out.topic = response_topic(kBox);
  out.payload = R"({"naïve":"✓"})";
  out.response_topic = "welcome/back";
  out.correlation = std::string("\x00ticket\xFF", 8);
  ASSERT_TRUE(box.link().publish(out, 1, 3600s));
  const auto got = next_at_paho();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->get_topic(), out.topic);
  EXPECT_EQ(got->get_payload_str(), out.payload);
  EXPECT_EQ(got->get_qos(), 1);
  const auto& properties = got->get_properties();
  using ::mqtt::property;
  EXPECT_EQ(::mqtt::get<std::string>(properties, property::CONTENT_TYPE), "application/json");
  EXPECT_EQ(::mqtt::get<std::string>(properties, property::RESPONSE_TOPIC), "welcome/back");
  EXPECT_EQ(::mqtt::get<std::string>(properties, property::CORRELATION_DATA), out.correlation);
  EXPECT_EQ(::mqtt::get<std::uint8_t>(properties, property::PAYLOAD_FORMAT_INDICATOR), 1);
  EXPECT_GT(::mqtt::get<std::uint32_t>(properties, property::MESSAGE_EXPIRY_INTERVAL), 3500U);
}

TEST_F(LinkConformanceTest, WhatPahoSendsReachesTheLink) {
  Peer box(config());
  ASSERT_TRUE(box.wait_up());
  auto message = ::mqtt::make_message(command_topic(kBox), R"({"v":1})", 1, false);
  ::mqtt::properties properties;
  properties.add({::mqtt::property::RESPONSE_TOPIC, std::string("welcome/answers")});
  properties.add({::mqtt::property::CORRELATION_DATA, std::string("ticket-9")});
  properties.add({::mqtt::property::USER_PROPERTY, "a", "b"});
  message->set_properties(properties);
  paho_->publish(message)->wait();
  ASSERT_TRUE(box.wait_messages(1));
  const auto got = box.last_on(command_topic(kBox));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->payload, R"({"v":1})");
  EXPECT_EQ(got->response_topic, "welcome/answers");
  EXPECT_EQ(got->correlation, "ticket-9");
  EXPECT_FALSE(got->retained);
}

TEST_F(LinkConformanceTest, TheWillSpeaksForAClientThatWasThrownOut) {
  Peer box(config());
  ASSERT_TRUE(box.wait_up());
  LinkConfig thief = config();
  thief.will.reset();
  thief.subscriptions.clear();
  const Peer other(thief);
  const auto got = next_at_paho();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->get_topic(), state_topic(kBox));
  EXPECT_EQ(got->get_payload_str(), config().will->payload);
}

}  // namespace
}  // namespace welcome::sync
