// SPDX-License-Identifier: Apache-2.0
#include "beacon/learnt_device.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "beacon/tracker.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome::beacon {
namespace {

using namespace testing;

MonoTime at_s(double s) { return now_at(s).mono; }

NearestOfVisit visit_at(double level_db, double lasting_s, double per_second) {
  NearestOfVisit visit;
  for (double t = 0; t <= lasting_s; t += 1 / per_second) visit.hear(level_db, at_s(t));
  return visit;
}

TEST(NearestOfVisit, IsTheLevelThatATenthOfTheReadingsReach) {
  NearestOfVisit visit;
  for (int i = 0; i < 1000; ++i) {
    // Two in a hundred are reflections, a fifth of the visit is at the counter.
    visit.hear(i % 50 == 0 ? 20.0 : i % 5 == 0 ? -3.0 : -15.0, at_s(i * 0.5));
  }
  EXPECT_EQ(visit.level_db(), -3.0);
}

TEST(NearestOfVisit, WhoPassesByIsHardlyHeardOrStaysFarTeachesNothing) {
  EXPECT_TRUE(visit_at(-10, 60, 2).level_db());
  EXPECT_FALSE(visit_at(-10, 50, 10).level_db());
  EXPECT_FALSE(visit_at(-10, 100, 0.3).level_db());
  EXPECT_FALSE(visit_at(-25, 36'000, 4).level_db()) << "lives next door";
}

TEST(NearestOfVisit, ADayAtTheCounterCountsLikeAnHour) {
  EXPECT_EQ(visit_at(-5, 36'000, 10).level_db(), -5.0);
}

TEST(NearestLevel, OneOddVisitMovesItLittleAndAHabitIsFollowed) {
  NearestLevel level;
  for (int i = 0; i < 10; ++i) level.learn(-6);
  level.learn(+20);
  EXPECT_NEAR(level.tenths_db / 10.0, -6, 0.5);
  for (int i = 0; i < 60; ++i) level.learn(+2);
  EXPECT_NEAR(level.tenths_db / 10.0, +2, 0.5);
  EXPECT_EQ(level.visits, 71);
}

NearestLevel learnt(double level_db, int visits) {
  NearestLevel level;
  for (int i = 0; i < visits; ++i) level.learn(level_db);
  return level;
}

TEST(NearestLevels, AnOffsetIsTheDifferenceToTheMedianAndBounded) {
  NearestLevels all;
  for (int i = 0; i < 7; ++i) all.add(learnt(-4 + i % 3, 5));
  EXPECT_EQ(all.offset_db(learnt(-10, 50)), 0.0) << "too few to compare with";
  for (int i = 0; i < 20; ++i) all.add(learnt(-4 + i % 3, 5));
  EXPECT_NEAR(all.offset_db(learnt(-7, 200)), -4, 0.5);
  EXPECT_NEAR(all.offset_db(learnt(-7, 3)), -4 * 0.6, 0.5) << "less sure";
  EXPECT_EQ(all.offset_db(learnt(-7, 2)), 0.0);
  EXPECT_EQ(all.offset_db(learnt(+30, 200)), 6.0);
  EXPECT_EQ(all.offset_db(learnt(-50, 200)), -6.0);
  for (int i = 0; i < 27; ++i) all.remove(learnt(-4 + (i < 7 ? i : i - 7) % 3, 5));
  EXPECT_EQ(all.offset_db(learnt(+30, 200)), 0.0);
}

// A shop of regulars. Their devices differ, their places differ, walls and bodies shadow each visit
// and each reading fades: how often is the band the true one, for a box that learns and for one
// that forgets everything every night?
class Regulars : public ::testing::Test {
 protected:
  static constexpr int kPeople = 25;

  struct Box {
    Tracker tracker;
    int right = 0;
    double share = 0;  // of the seconds, on the last days
  };

  void SetUp() override { begin(learning_, {}); }

  // A box that starts with what was learnt.
  void begin(Box& box, const LearntDevices& learnt) const {
    box.tracker = Tracker();
    std::vector<IdentityKey> keys;
    for (int i = 0; i < kPeople; ++i) keys.push_back(key(i));
    box.tracker.set_identities(keys, now_at(t_), learnt);
  }
  static IdentityKey key(int person) {
    IdentityKey key = fob("c" + std::to_string(person));
    key.static_id[0] = static_cast<std::uint8_t>(person);
    return key;
  }
  double normal(double sigma) { return std::normal_distribution<double>(0, sigma)(dice_); }
  double uniform(double from, double to) {
    return std::uniform_real_distribution<double>(from, to)(dice_);
  }

  void hear(int person, double level_db, std::optional<double> rests_at_m) {
    const int rssi = static_cast<int>(std::lround(-59 + level_db));
    for (Box* box : {&learning_, &forgetful_}) {
      box->tracker.handle(fob_advert(key(person), rssi, now_at(t_)), now_at(t_));
      if (!rests_at_m) continue;
      const Distance true_band = *rests_at_m <= 1   ? Distance::immediate
                                 : *rests_at_m <= 4 ? Distance::near
                                                    : Distance::far;
      const auto band = box->tracker.place(key(person).customer)->distance;
      box->right += band == true_band ? 1 : 0;
    }
    all_ += rests_at_m ? 1 : 0;
  }

  // In by the door, to a table, to the counter, and out.
  void visit(int person, double device_db) {
    const double shadow = normal(2);
    const double table = uniform(2, 7);
    const double counter = uniform(0.7, 1.4);
    const auto stay = [&](double from_m, double to_m, double duration_s) {
      for (double s = 0; s < duration_s; s += 0.5, t_ += 0.5) {
        const double metres = from_m + (to_m - from_m) * s / duration_s;
        hear(person, -22 * std::log10(metres) + device_db + shadow + normal(4),
             from_m == to_m && s >= 15 ? std::optional(metres) : std::nullopt);
      }
    };
    stay(15, table, 10);
    stay(table, table, uniform(40, 120));
    stay(table, counter, 5);
    stay(counter, counter, uniform(20, 60));
    stay(counter, 15, 12);
    t_ += 30;
    learning_.tracker.tick(now_at(t_));
    forgetful_.tracker.tick(now_at(t_));
    ASSERT_EQ(learning_.tracker.present(), 0U);
  }
  // Everybody once a day; what their devices have more than others spreads by `spread_db`.
  void days(int n, double spread_db) {
    all_ = learning_.right = forgetful_.right = 0;
    for (; n > 0; --n) {
      begin(forgetful_, {});
      std::minstd_rand devices(7);
      for (int i = 0; i < kPeople; ++i) {
        visit(i, std::clamp(std::normal_distribution<double>(0, spread_db)(devices), -8.0, 8.0));
      }
    }
    for (Box* box : {&learning_, &forgetful_}) {
      box->share = static_cast<double>(box->right) / static_cast<double>(all_);
    }
  }

  Box learning_;
  Box forgetful_;
  std::minstd_rand dice_{11};
  double t_ = 0;
  int all_ = 0;
};

TEST_F(Regulars, TheOffsetsOfTheirDevicesMakeTheBandRight) {
  days(10, 5);
  days(3, 5);
  EXPECT_GT(learning_.share, forgetful_.share + 0.05)
      << learning_.share << " against " << forgetful_.share;

  LearntDevices learnt;
  for (const auto& one : learning_.tracker.take_learnt()) learnt[one.device] = one.what;
  EXPECT_EQ(learnt.size(), static_cast<std::size_t>(kPeople));
  begin(learning_, learnt);
  days(1, 5);
  EXPECT_GT(learning_.share, forgetful_.share + 0.05) << "a restart forgot it";

  learnt[12345] = {};
  EXPECT_EQ(learning_.tracker.drop_unknown(learnt), std::vector<std::uint64_t>{12345});
  learning_.tracker.set_identities({}, now_at(t_));
  EXPECT_EQ(learning_.tracker.drop_unknown(learnt).size(), static_cast<std::size_t>(kPeople));
  EXPECT_TRUE(learnt.empty());
}

TEST_F(Regulars, WhereAllDevicesAreAlikeLearningDoesNoHarm) {
  days(10, 0);
  days(3, 0);
  EXPECT_GT(learning_.share, forgetful_.share - 0.01)
      << learning_.share << " against " << forgetful_.share;
}

}  // namespace
}  // namespace welcome::beacon
