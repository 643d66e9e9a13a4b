// SPDX-License-Identifier: Apache-2.0
#include "beacon/ranging.h"

#include <array>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace welcome::beacon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

MonoTime at_ms(int ms) { return MonoTime{milliseconds{ms} + seconds{1000}}; }

TEST(Ranging, ALevelIsTheMeanOfWhatWasHeardLately) {
  const SignalConfig config{.memory = milliseconds{1000}};
  SignalLevel level;
  EXPECT_FALSE(level.at(config, at_ms(0)));
  for (int t = 0; t < 10000; t += 100) level.hear(config, t < 5000 ? -60 : -50, at_ms(t));
  EXPECT_NEAR(*level.at(config, at_ms(10000)), -50, 0.5);
}

TEST(Ranging, ALevelOfAMixedBoxFadesInSilence) {
  const SignalConfig config{.memory = milliseconds{500}, .silence_weight = 0.1};
  SignalLevel level;
  for (int t = 0; t < 2000; t += 100) level.hear(config, -50, at_ms(t));
  EXPECT_NEAR(*level.at(config, at_ms(2000)), -51, 1.5);
  EXPECT_LT(*level.at(config, at_ms(6000)), -90);
}

TEST(Ranging, ADeepFadeOrAReflectionMovesALevelLittleAndARealMoveIsFollowed) {
  const SignalConfig config{.memory = milliseconds{1000}};
  for (const double outlier : {-100.0, -20.0}) {
    SignalLevel level;
    for (int t = 0; t < 5000; t += 100) level.hear(config, -60, at_ms(t));
    level.hear(config, outlier, at_ms(5000));
    EXPECT_NEAR(*level.at(config, at_ms(5000)), -60, 1.5) << outlier;
    for (int t = 5100; t < 12'000; t += 100) level.hear(config, outlier, at_ms(t));
    EXPECT_NEAR(*level.at(config, at_ms(12'000)), outlier, 1.0) << outlier;
  }
}

TEST(Ranging, WhoIsHeardRarelyIsRememberedLonger) {
  const SignalConfig config{.memory = milliseconds{250}, .memory_per_pause = 0.7};
  const auto after_one_stray = [&](int every_ms) {
    SignalLevel level;
    int t = 0;
    for (; t < 20'000; t += every_ms) level.hear(config, -60, at_ms(t));
    level.hear(config, -72, at_ms(t));
    return *level.at(config, at_ms(t));
  };
  EXPECT_GT(after_one_stray(100), -66);
  EXPECT_GT(after_one_stray(1000), -71) << "one reading alone does not say where she is";
}

TEST(Ranging, TheJudgeFollowsAClearMoveSoonAndAFaintOneLate) {
  const JudgeConfig config{.allowance_db = 3, .evidence_db_s = 60};
  const auto seconds_to_move = [&](double db) {
    Judge judge;
    judge.judge(config, std::array{0.0, -50.0}, at_ms(0));
    for (int t = 100; t < 600'000; t += 100) {
      if (judge.judge(config, std::array{0.0, db}, at_ms(t)) == 1) return t / 1000.0;
    }
    return 600.0;
  };
  EXPECT_LT(seconds_to_move(25), 5);
  EXPECT_NEAR(seconds_to_move(6), 20, 1);
  EXPECT_EQ(seconds_to_move(2.9), 600.0);
}

TEST(Ranging, NoiseDoesNotAddUp) {
  const JudgeConfig config{.allowance_db = 3, .evidence_db_s = 60};
  Judge judge;
  judge.judge(config, std::array{0.0, -5.0}, at_ms(0));
  for (int t = 100; t < 3'600'000; t += 100) {
    const double swing = (t / 1000) % 2 == 0 ? 8.0 : -8.0;
    ASSERT_EQ(judge.judge(config, std::array{0.0, swing}, at_ms(t)), 0);
  }
}

class Band : public ::testing::Test {
 protected:
  // So many seconds at that level, ten readings each, up to 8 dB off.
  void stay(int duration_s, double level_db) {
    for (int i = 0; i < duration_s * 10; ++i) {
      now_ms_ += 100;
      band_.hear(config_, level_db + static_cast<double>(dice_() % 17) - 8.0, at_ms(now_ms_));
      if (said_.empty() || said_.back() != band_.distance()) said_.push_back(band_.distance());
    }
  }
  const DistanceBand::Config config_;  // 1 m is 0 dB, 4 m is -13.2 dB
  DistanceBand band_;
  std::vector<std::optional<Distance>> said_;
  std::minstd_rand dice_{5};
  int now_ms_ = 0;
};

TEST_F(Band, NearAndFarAreToldApart) {
  EXPECT_EQ(band_.distance(), std::nullopt);
  stay(60, -25);
  EXPECT_EQ(band_.distance(), Distance::far);
  stay(60, -8);
  EXPECT_EQ(band_.distance(), Distance::near);
  stay(60, 6);
  EXPECT_EQ(band_.distance(), Distance::immediate);
  stay(60, -25);
  EXPECT_EQ(band_.distance(), Distance::far);
  EXPECT_LE(said_.size(), 6U) << "each once, but for `near` in passing";
}

TEST_F(Band, WhoStandsAtAnEdgeDoesNotFlicker) {
  stay(60, -8);
  said_.clear();
  stay(3600, 0);
  EXPECT_LE(said_.size(), 2U);
  stay(60, -8);
  said_.clear();
  stay(3600, -13.2);
  EXPECT_LE(said_.size(), 2U);
}

TEST(Ranging, TimeWithoutBeingHeardIsNoEvidence) {
  const JudgeConfig config{.allowance_db = 3, .evidence_db_s = 60};
  Judge judge;
  judge.judge(config, std::array{0.0, -5.0}, at_ms(0));
  EXPECT_EQ(judge.judge(config, std::array{0.0, 20.0}, at_ms(3'600'000)), 0);
}

TEST(Ranging, ATimeThatStepsBackBreaksNothing) {
  const RangingConfig config = RangingConfig::several_boxes();
  SignalLevel level;
  Judge judge;
  for (int t = 0; t < 5000; t += 100) {
    const MonoTime at = at_ms(t % 300 == 0 ? t - 2000 : t);
    level.hear(config.fast_level, -50, at);
    judge.judge(config.fast, std::array{*level.at(config.fast_level, at), -60.0}, at);
  }
  EXPECT_EQ(judge.zone(), 0);
}

TEST(Ranging, BoxesOfAZoneAreHeardTogether) {
  AmplitudeSum none;
  EXPECT_FALSE(none.level_db());
  AmplitudeSum one;
  one.add(-60);
  EXPECT_NEAR(*one.level_db(), -60, 1e-9);
  one.add(-60);
  EXPECT_NEAR(*one.level_db(), -54, 0.1);
  one.add(-100);
  EXPECT_NEAR(*one.level_db(), -54, 0.1) << "who hears her not says nothing";
}

}  // namespace
}  // namespace welcome::beacon
