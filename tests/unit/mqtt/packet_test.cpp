// SPDX-License-Identifier: Apache-2.0
// MQTT 5 on the wire: against bytes written by hand from the specification, and against rubbish.

#include "mqtt/packet.h"

#include <gtest/gtest.h>
#include <random>

#include "tests/unit/mqtt/bytes.h"

namespace welcome::mqtt {
namespace {

constexpr std::size_t kMax = 1024;

// The one packet in `text`, complete.
Packet only(const std::string& text) {
  auto taken = take(text, kMax);
  EXPECT_TRUE(taken) << taken.error().message;
  EXPECT_TRUE(taken->has_value());
  EXPECT_EQ((*taken)->bytes, text.size());
  return (*taken)->packet;
}

bool refused(const std::string& text) { return !take(text, kMax); }

TEST(MqttPacketTest, ConnectSaysWhoAndForHowLong) {
  Connect connect;
  connect.client_id = "crm";
  connect.user = "u";
  connect.password = "p";
  connect.session_expiry_s = 60;
  connect.receive_maximum = 5;
  EXPECT_EQ(encode(connect),
            bytes({0x10, 30, 0,    4, 'M', 'Q', 'T', 'T', 5,   0xC0, 0, 15, 8,   0x11, 0, 0,
                   0,    60, 0x21, 0, 5,   0,   3,   'c', 'r', 'm',  0, 1,  'u', 0,    1, 'p'}));
}

TEST(MqttPacketTest, ConnackTellsHowMuchTheBrokerTakes) {
  const auto packet = std::get<Connack>(
      only(bytes({0x20, 14, 1, 0, 11, 0x21, 0, 20, 0x13, 0, 30, 0x27, 0, 0, 1, 0})));
  EXPECT_TRUE(packet.session_present);
  EXPECT_EQ(packet.receive_maximum, 20);
  EXPECT_EQ(packet.keep_alive_s, 30);
  EXPECT_EQ(packet.maximum_packet_size, 256U);
}

TEST(MqttPacketTest, AMessageComesBackAsItWasSent) {
  Publish message;
  message.topic = "welcome/v1/demo/x";
  message.payload = std::string("{\"a\":\0}", 7);
  message.id = 700;
  message.retain = true;
  message.expiry_s = 600;
  message.content_type = "application/json";
  message.response_topic = "r";
  message.correlation = std::string("\0\1", 2);
  const auto back = std::get<Publish>(only(encode(message)));
  EXPECT_EQ(back.topic, message.topic);
  EXPECT_EQ(back.payload, message.payload);
  EXPECT_EQ(back.id, message.id);
  EXPECT_EQ(back.retain, message.retain);
  EXPECT_EQ(back.expiry_s, message.expiry_s);
  EXPECT_EQ(back.content_type, message.content_type);
  EXPECT_EQ(back.response_topic, message.response_topic);
  EXPECT_EQ(back.correlation, message.correlation);
}

TEST(MqttPacketTest, PropertiesThatAreNotUsedAreSkipped) {
  const auto back =
      std::get<Publish>(only(bytes({0x32, 19, 0, 1,   't',  0, 9,    12,   0x26, 0,  1,
                                    'k',  0,  1, 'v', 0x01, 1, 0x0B, 0x81, 0x01, 'x'})));
  EXPECT_EQ(back.payload, "x");
  EXPECT_EQ(back.id, 9);
}

TEST(MqttPacketTest, AcknowledgementsMayLeaveOutTheReason) {
  EXPECT_EQ(std::get<Puback>(only(bytes({0x40, 2, 0, 7}))).reason, 0);
  EXPECT_EQ(std::get<Puback>(only(bytes({0x40, 3, 0, 7, 0x87}))).reason, 0x87);
  EXPECT_EQ(encode(Puback{7, 0}), bytes({0x40, 2, 0, 7}));
  EXPECT_EQ(std::get<Suback>(only(bytes({0x90, 5, 0, 1, 0, 1, 0x87}))).reasons.at(1), 0x87);
}

TEST(MqttPacketTest, HalfAPacketIsNotAPacketYet) {
  Publish message;
  message.topic = "t";
  message.id = 1;
  message.payload = std::string(300, 'x');
  const std::string whole = encode(message);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto taken = take(std::string_view(whole).substr(0, length), kMax);
    ASSERT_TRUE(taken);
    ASSERT_FALSE(taken->has_value()) << length;
  }
}

TEST(MqttPacketTest, WhatBreaksTheFormatIsRefused) {
  EXPECT_TRUE(refused(bytes({0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1}))) << "length of five bytes";
  EXPECT_TRUE(refused(bytes({0x30, 0xFF, 0x7F}))) << "too large";
  EXPECT_TRUE(refused(bytes({0x30, 3, 0, 9, 't'}))) << "topic runs past the packet";
  EXPECT_TRUE(refused(bytes({0x34, 6, 0, 1, 't', 0, 1, 0}))) << "QoS 2";
  EXPECT_TRUE(refused(bytes({0x32, 6, 0, 1, 't', 0, 0, 0}))) << "packet id 0";
  EXPECT_TRUE(refused(bytes({0x30, 4, 0, 0, 0, 'x'}))) << "no topic";
  EXPECT_TRUE(refused(bytes({0x30, 7, 0, 1, 't', 3, 0x23, 0, 1}))) << "topic alias";
  EXPECT_TRUE(refused(bytes({0x30, 6, 0, 1, 't', 2, 0x7F, 0}))) << "unknown property";
  EXPECT_TRUE(refused(bytes({0x20, 6, 0, 0, 3, 0x21, 0, 0}))) << "receive maximum 0";
  EXPECT_TRUE(refused(bytes({0x00, 0}))) << "no such packet";
  EXPECT_TRUE(refused(bytes({0x50, 2, 0, 1}))) << "PUBREC, which nobody asked for";
}

TEST(MqttPacketTest, RubbishNeverReadsPastItsEnd) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const auto taken = take(text, kMax);
    if (taken && taken->has_value()) {
      EXPECT_LE((*taken)->bytes, text.size());
    }
  }
}

}  // namespace
}  // namespace welcome::mqtt
