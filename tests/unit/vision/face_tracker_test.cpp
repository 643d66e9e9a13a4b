// SPDX-License-Identifier: Apache-2.0
#include "vision/face_tracker.h"

#include <gtest/gtest.h>
#include <set>

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;

Detection at(float x, float y, float side = 60) { return {{x, y, side, side}, 0.9F}; }
MonoTime frame(int number) { return MonoTime{} + number * milliseconds(66); }

TEST(FaceTracker, IgnoresWhatFlashesUpInOneFrameOnly) {
  FaceTracker tracker;
  EXPECT_TRUE(tracker.update({at(100, 100)}, frame(0)).empty());
  for (int i = 1; i < 40; ++i) tracker.update({}, frame(i));
  EXPECT_TRUE(tracker.take_ended().empty());
}

TEST(FaceTracker, KeepsTwoWalkersApartWhileTheyPassEachOther) {
  FaceTracker tracker;
  std::set<std::uint64_t> left;
  std::set<std::uint64_t> right;
  for (int i = 0; i < 60; ++i) {
    const auto step = static_cast<float>(i) * 8;
    // One from left to right, one from right to left, 40 px lower; given in changing order.
    std::vector<Detection> seen{at(step, 100), at(500 - step, 140)};
    const bool swapped = i % 2 == 1;
    if (swapped) std::swap(seen[0], seen[1]);
    for (const auto& sight : tracker.update(seen, frame(i))) {
      const bool first = (sight.detection == 0) != swapped;
      (first ? left : right).insert(sight.track);
    }
  }
  EXPECT_EQ(left.size(), 1U);
  EXPECT_EQ(right.size(), 1U);
  EXPECT_NE(*left.begin(), *right.begin());
}

TEST(FaceTracker, SurvivesAShortGapAndEndsAfterALongOne) {
  FaceTracker tracker;
  for (int i = 0; i < 5; ++i) tracker.update({at(100, 100)}, frame(i));
  const auto before = tracker.update({at(101, 100)}, frame(5));
  for (int i = 6; i < 12; ++i) tracker.update({}, frame(i));
  const auto after = tracker.update({at(103, 100)}, frame(12));
  ASSERT_EQ(before.size(), 1U);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(before[0].track, after[0].track);
  EXPECT_TRUE(tracker.take_ended().empty());
  tracker.update({}, frame(60));
  EXPECT_EQ(tracker.take_ended(), std::vector{before[0].track});
}

TEST(FaceTracker, AMachineThatLooksRarelyLosesNobodyByThat) {
  FaceTracker tracker;
  std::set<std::uint64_t> seen;
  MonoTime now = frame(0);
  for (int i = 0; i < 10; ++i, now += milliseconds(1800)) {
    for (const auto& sight : tracker.update({at(100, 100)}, now)) seen.insert(sight.track);
  }
  EXPECT_EQ(seen.size(), 1U);
  // Missing in one picture it is over sooner …
  tracker.update({}, now);
  tracker.update({at(100, 100)}, now + milliseconds(900));
  EXPECT_EQ(tracker.take_ended().size(), 1U);
  // … and after a long pause nobody knows who stands there now.
  tracker.update({at(100, 100)}, now + milliseconds(1000));
  tracker.update({at(100, 100)}, now + milliseconds(4100));
  EXPECT_EQ(tracker.take_ended().size(), 1U);
}

// Each look takes it 6 s, while the camera gives five pictures a second.
TEST(FaceTracker, AVerySlowMachineLosesNobodyWhileTheCameraGoesOn) {
  FaceTracker tracker;
  std::set<std::uint64_t> seen;
  MonoTime now = frame(0);
  for (int i = 0; i < 10; ++i, now += milliseconds(6000)) {
    for (const auto& sight : tracker.update({at(100, 100)}, now, 29)) seen.insert(sight.track);
  }
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_TRUE(tracker.take_ended().empty());
  // The same pause of a camera that gave nothing meanwhile, and one that is too long for anybody.
  tracker.update({at(100, 100)}, now);
  EXPECT_EQ(tracker.take_ended().size(), 1U);
  tracker.update({at(100, 100)}, now + milliseconds(1000));
  tracker.update({at(100, 100)}, now + milliseconds(31000), 149);
  EXPECT_EQ(tracker.take_ended().size(), 1U);
}

TEST(FaceTracker, SaysOnceThatATrackIsFresh) {
  FaceTracker tracker;
  int fresh = 0;
  for (int i = 0; i < 10; ++i) {
    for (const auto& sight : tracker.update({at(10, 10)}, frame(i))) fresh += sight.fresh ? 1 : 0;
  }
  EXPECT_EQ(fresh, 1);
  tracker.clear();
  EXPECT_EQ(tracker.take_ended().size(), 1U);
}

}  // namespace
}  // namespace welcome::vision
