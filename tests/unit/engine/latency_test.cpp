// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/latency.h"

#include <gtest/gtest.h>

namespace welcome::daemon {
namespace {

using namespace std::chrono_literals;

TEST(Latency, CountsWhatWasNoLongerThanEachBound) {
  Latency latency;
  for (const auto took : {4ms, 5ms, 6ms, 400ms, 11'000ms}) latency.add(took);
  EXPECT_EQ(latency.within(0), 2U) << "5 ms, and the bound itself";
  EXPECT_EQ(latency.within(1), 3U);
  EXPECT_EQ(latency.within(Latency::kBounds.size() - 1), 4U) << "10 s";
  EXPECT_EQ(latency.count(), 5U);
  EXPECT_EQ(latency.sum(), 11'415ms);
}

TEST(Latency, GoesOnCountingWhenThePercentilesHaveAllTheyKeep) {
  Latency latency;
  for (int i = 0; i < 5000; ++i) latency.add(i < 1000 ? 1000ms : 20ms);
  EXPECT_EQ(latency.count(), 5000U);
  EXPECT_EQ(latency.within(2), 4000U);
  EXPECT_EQ(latency.percentile(0.5), 20ms);
}

}  // namespace
}  // namespace welcome::daemon
