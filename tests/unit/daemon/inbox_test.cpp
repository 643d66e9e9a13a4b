// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/inbox.h"

#include <gtest/gtest.h>
#include <thread>

namespace welcome::daemon {
namespace {

using Numbers = Inbox<int>;

TEST(Inbox, BetweenTwoOfControlComesAllThatTheSensorsHave) {
  int wakes = 0;
  Numbers inbox({}, [&] { ++wakes; });
  inbox.post_sensor(10);
  inbox.post_control(1);
  inbox.post_control(2);
  EXPECT_EQ(inbox.take(), (std::vector{1, 10}));
  inbox.post_sensor(11);
  inbox.post_sensor(12);
  EXPECT_EQ(inbox.take(), (std::vector{2, 11, 12}));
  EXPECT_EQ(wakes, 1) << "one wake-up until it is empty";
  EXPECT_TRUE(inbox.take().empty());
  inbox.post_control(3);
  EXPECT_EQ(wakes, 2);
}

TEST(Inbox, TheFeedAndAllElseComeByTurns) {
  Numbers inbox({}, [] {});
  for (const int n : {1, 2, 3}) EXPECT_TRUE(inbox.post_feed(n, 10));
  EXPECT_EQ(inbox.take(), std::vector{1});
  for (const int n : {11, 12, 13}) inbox.post_control(n);
  inbox.post_sensor(100);
  for (const auto& next : {std::vector{11, 100}, {2}, {12}, {3}, {13}, {}}) {
    EXPECT_EQ(inbox.take(), next);
  }
}

TEST(Inbox, AFeedThatIsDroppedLeavesRoom) {
  Numbers inbox({.bytes = 10}, [] {});
  EXPECT_TRUE(inbox.post_feed(1, 10));
  EXPECT_FALSE(inbox.post_feed(2, 1));
  inbox.drop_feed();
  EXPECT_TRUE(inbox.post_message(3, 10));
  EXPECT_EQ(inbox.take(), std::vector{3});
  EXPECT_TRUE(inbox.take().empty());
}

TEST(Inbox, WhatOthersSendIsRefusedBeyondANumberAndAWeight) {
  Numbers few({.messages = 2}, [] {});
  EXPECT_TRUE(few.post_message(1, 1));
  EXPECT_TRUE(few.post_message(2, 1));
  EXPECT_FALSE(few.post_message(3, 1));
  EXPECT_EQ(few.control_refused(), 1U);
  few.post_control(4);  // our own word always finds room

  Numbers light({.bytes = 100}, [] {});
  EXPECT_TRUE(light.post_message(1, 60));
  EXPECT_FALSE(light.post_message(2, 60));
  EXPECT_EQ(light.take(), std::vector{1});
  EXPECT_TRUE(light.post_message(3, 60));
}

TEST(Inbox, SensorDropsItsOldestAndCountsIt) {
  Numbers inbox({.sensor = 3}, [] {});
  for (int i = 0; i < 5; ++i) inbox.post_sensor(i);
  EXPECT_EQ(inbox.take(), (std::vector{2, 3, 4}));
  EXPECT_EQ(inbox.sensor_dropped(), 2U);
}

TEST(Inbox, PostersOnOtherThreadsLoseNothing) {
  constexpr int kEach = 5000;
  Numbers inbox({}, [] {});
  std::vector<int> got;
  {
    const auto post = [&] {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(inbox.post_message(i, 1));
    };
    std::jthread a(post);
    std::jthread b(post);
    while (got.size() < 2 * kEach) {
      for (int value : inbox.take()) got.push_back(value);
    }
  }
  EXPECT_EQ(got.size(), 2U * kEach);
}

}  // namespace
}  // namespace welcome::daemon
