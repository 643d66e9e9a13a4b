// SPDX-License-Identifier: Apache-2.0
#include "beacon/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>

namespace welcome::beacon {
namespace {

using ::testing::HasSubstr;

constexpr double kExponent = 2.2;

double level_at(double metres) { return -10 * kExponent * std::log10(metres); }

// Twenty seconds at each of four places, with so much noise.
std::vector<WalkPlace> walk(std::array<double, 4> metres, double noise_db) {
  std::mt19937 dice(7);
  std::normal_distribution<double> noise(0, noise_db);
  std::vector<WalkPlace> places;
  for (std::size_t i = 0; i < 4; ++i) {
    WalkPlace place{std::array{Zone::desk, Zone::inside, Zone::door, Zone::street}[i], {}};
    for (int second = 0; second < 20; ++second) {
      place.levels_db.push_back(level_at(metres[i]) + noise(dice));
    }
    places.push_back(std::move(place));
  }
  return places;
}

TEST(Calibration, PutsTheBordersBetweenThePlaces) {
  const auto found = calibrate(walk({1.5, 4, 8, 20}, 1), kExponent);
  ASSERT_TRUE(found) << found.error().message;
  const auto& b = found->borders;
  EXPECT_GT(b[0].metres, 1.5);
  EXPECT_LT(b[0].metres, 4);
  EXPECT_GT(b[1].metres, 4);
  EXPECT_LT(b[1].metres, 8);
  EXPECT_GT(b[2].metres, 8);
  EXPECT_LT(b[2].metres, 20);
  EXPECT_GT(b[3].metres, 20);
  for (const auto& border : b) EXPECT_LE(border.wrong, 0.1);
}

TEST(Calibration, ABorderIsInTheMiddleOfAGap) {
  std::vector<WalkPlace> places{{Zone::desk, std::vector<double>(10, -5.0)},
                                {Zone::inside, std::vector<double>(10, -15.0)},
                                {Zone::door, std::vector<double>(10, -20.0)},
                                {Zone::street, std::vector<double>(10, -30.0)}};
  const auto found = calibrate(places, kExponent);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_DOUBLE_EQ(found->borders[0].level_db, -10.0);
  EXPECT_DOUBLE_EQ(found->borders[1].level_db, -17.5);
  EXPECT_DOUBLE_EQ(found->borders[2].level_db, -25.0);
  EXPECT_DOUBLE_EQ(found->borders[3].level_db, -33.0);
  EXPECT_NEAR(found->borders[0].metres, 2.85, 0.01);
}

TEST(Calibration, RefusesPlacesThatDoNotSeparate) {
  const auto noisy = calibrate(walk({1.5, 2.2, 8, 20}, 6), kExponent);
  ASSERT_FALSE(noisy);
  EXPECT_EQ(noisy.error().code, ErrorCode::refused);
  EXPECT_THAT(noisy.error().message, HasSubstr("desk and inside do not separate"));
  // Walked the wrong way round.
  EXPECT_FALSE(calibrate(walk({20, 8, 4, 1.5}, 1), kExponent));
}

TEST(Calibration, RefusesWhatWasHardlyHeard) {
  auto places = walk({1.5, 4, 8, 20}, 1);
  places[3].levels_db.resize(3);
  const auto found = calibrate(places, kExponent);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("street: heard in 3 seconds only"));
}

TEST(Calibration, RefusesABorderThatTheConfigurationCannotSay) {
  const auto found = calibrate(walk({30, 60, 120, 300}, 1), kExponent);
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("measured_power_1m_dbm"));
}

TEST(Calibration, RefusesPlacesInAnotherOrder) {
  auto places = walk({1.5, 4, 8, 20}, 1);
  std::swap(places[0], places[1]);
  EXPECT_EQ(calibrate(places, kExponent).error().code, ErrorCode::malformed);
  EXPECT_EQ(calibrate({}, kExponent).error().code, ErrorCode::malformed);
}

}  // namespace
}  // namespace welcome::beacon
