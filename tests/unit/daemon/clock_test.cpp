// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/clock.h"

#include <gtest/gtest.h>

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;

WallTime real_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

TEST(ReplayClock, StandsAtTheStartUntilItsEpochThenRunsAtItsSpeed) {
  const WallTime start{std::chrono::hours(24 * 365 * 50)};
  const ReplayClock future(real_now() + 1h, start, 4.0);
  EXPECT_EQ(future.now().mono, MonoTime{});
  EXPECT_EQ(future.now().wall, start);
  EXPECT_GT(future.until(MonoTime(4s)), 1h);

  // Ten real seconds ago at four times the pace: 40 s into the recording.
  const ReplayClock running(real_now() - 10s, start, 4.0);
  const Now now = running.now();
  EXPECT_GE(now.mono, MonoTime(40s));
  EXPECT_LT(now.mono, MonoTime(60s));
  EXPECT_GE(now.wall, start + 40s);
  EXPECT_TRUE(now.wall_trusted);
  EXPECT_EQ(running.until(MonoTime(1s)), 0s);
  EXPECT_LE(running.until(now.mono + 4s), 1s);
}

TEST(SystemClock, TrustsAWallClockThatIsLaterThanWhatWasWrittenDown) {
  EXPECT_TRUE(SystemClock(real_now() - 1h).now().wall_trusted);
}

TEST(WallTrust, AClockThatWasNotSetAfterBootIsBelievedWhenItIsSynchronised) {
  const WallTime known = real_now();
  WallTrust trust(known);
  EXPECT_FALSE(trust.judge(known - 24h, false));
  EXPECT_TRUE(trust.judge(known - 24h, true));
  EXPECT_TRUE(trust.judge(known - 24h + 1min, false)) << "it was set, and runs on";
}

TEST(WallTrust, AClockThatWasSetBackAnHourIsBelievedWhenItHasCaughtUp) {
  const WallTime start = real_now();
  WallTrust trust(start - 1h);
  EXPECT_TRUE(trust.judge(start, false));
  EXPECT_TRUE(trust.judge(start - 500ms, false)) << "steered, not set";
  EXPECT_FALSE(trust.judge(start - 1h, false));
  EXPECT_FALSE(trust.judge(start - 1min, false));
  EXPECT_TRUE(trust.judge(start + 1s, false));
}

}  // namespace
}  // namespace welcome::daemon
