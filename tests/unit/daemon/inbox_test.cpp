#include "firmware/daemon/inbox.h"

#include <gtest/gtest.h>
#include <thread>

namespace welcome::daemon {
namespace {

TEST(Inbox, ControlComesFirstAndIsNeverDroppedInSilence) {
  int wakes = 0;
  Inbox<int> inbox(2, 2, [&] { ++wakes; });
  inbox.post_sensor(10);
  EXPECT_TRUE(inbox.post_control(1));
  EXPECT_TRUE(inbox.post_control(2));
  EXPECT_FALSE(inbox.post_control(3));
  EXPECT_EQ(inbox.control_refused(), 1U);
  EXPECT_EQ(inbox.take(), (std::vector{1, 2, 10}));
  EXPECT_EQ(wakes, 1) << "one wake-up per batch";
  EXPECT_TRUE(inbox.post_control(4));
  EXPECT_EQ(wakes, 2);
}

TEST(Inbox, SensorDropsItsOldestAndCountsIt) {
  Inbox<int> inbox(1, 3, [] {});
  for (int i = 0; i < 5; ++i) inbox.post_sensor(i);
  EXPECT_EQ(inbox.take(), (std::vector{2, 3, 4}));
  EXPECT_EQ(inbox.sensor_dropped(), 2U);
}

TEST(Inbox, PostersOnOtherThreadsLoseNothing) {
  constexpr int kEach = 5000;
  Inbox<int> inbox(2 * kEach, 1, [] {});
  std::vector<int> got;
  {
    const auto post = [&] {
      for (int i = 0; i < kEach; ++i) EXPECT_TRUE(inbox.post_control(i));
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
