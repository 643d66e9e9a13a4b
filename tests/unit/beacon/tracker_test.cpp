// SPDX-License-Identifier: Apache-2.0
#include "beacon/tracker.h"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <random>

#include "tests/unit/beacon/adverts.h"

namespace welcome::beacon {
namespace {

using namespace testing;

class TrackerTest : public ::testing::Test {
 protected:
  TrackerTest() { know({ann_, mia_}); }

  void know(std::vector<IdentityKey> keys) {
    tracker_.set_identities(std::move(keys), now_at(0));
    tracker_.tick(now_at(0));
  }

  // Hears her phone from `from` to `to` at that strength; keeps the last claim.
  void hear(const IdentityKey& key, double from, double to, int rssi) {
    for (double t = from; t < to; t += 0.25) {
      const Now now = now_at(t);
      const AdvertReport r = key.kind == IdentityKind::ibeacon ? fob_advert(key, rssi, now)
                                                               : phone_advert(key, rssi, now);
      keep(tracker_.handle(r, now));
      keep(tracker_.tick(now));
    }
  }
  void keep(std::vector<IdentityClaim> claims) {
    for (IdentityClaim& claim : claims) {
      ++claims_;
      last_ = std::move(claim);
    }
  }

  const IdentityKey ann_ = phone("ann", 1);
  const IdentityKey mia_ = fob("mia");
  Tracker tracker_;
  IdentityClaim last_;
  int claims_ = 0;
};

// 0 dB loss at 1 m: -59 dBm; at 14 m -84; at 8 m -79; at 4 m -72; at 1.4 m -62.
TEST_F(TrackerTest, DistanceBecomesAZone) {
  hear(ann_, 0, 10, -84);
  EXPECT_EQ(last_.fast, Zone::street);
  EXPECT_EQ(last_.settled, Zone::street);
  EXPECT_EQ(last_.customer, CustomerId("ann"));
  EXPECT_EQ(last_.source, ClaimSource::eddystone_eid);
  hear(ann_, 10, 30, -72);
  EXPECT_EQ(last_.fast, Zone::inside);
  EXPECT_EQ(last_.settled, Zone::inside);
  hear(ann_, 30, 50, -62);
  EXPECT_EQ(last_.fast, Zone::desk);
  EXPECT_EQ(last_.settled, Zone::desk);
}

TEST_F(TrackerTest, TheDistanceFromThisBoxIsABand) {
  EXPECT_FALSE(tracker_.place(CustomerId("ann")));
  hear(ann_, 0, 10, -84);
  EXPECT_EQ(tracker_.place(CustomerId("ann"))->distance, Distance::far);
  hear(ann_, 10, 30, -68);
  EXPECT_EQ(tracker_.place(CustomerId("ann"))->distance, Distance::near);
  hear(ann_, 30, 50, -52);
  EXPECT_EQ(tracker_.place(CustomerId("ann"))->distance, Distance::immediate);
}

TEST_F(TrackerTest, AnAppThatSaysItMovesIsFollowedSooner) {
  const auto seconds_in_the_street = [&](bool says_so) {
    const IdentityKey app = phone("app", 5, 7, IdentityKind::rotating_uuid);
    Tracker tracker;
    tracker.set_identities({app}, now_at(0));
    tracker.tick(now_at(0));
    for (double t = 0; t < 60; t += 0.25) {
      const Now now = now_at(t);
      const bool near = t >= 20;
      AdvertReport r = phone_advert(app, near ? -70 : -84, now);
      if (near && says_so) {
        // The UUID is sent least significant byte first, after 3 + 2 bytes.
        std::vector<std::uint8_t> ad(r.ad.view().begin(), r.ad.view().end());
        ad[5] ^= kMovingBit;
        r.ad = AdBytes(ad);
      }
      for (const auto& claim : tracker.handle(r, now)) {
        if (near && claim.settled != Zone::street) return t - 20;
      }
    }
    return 60.0;
  };
  EXPECT_LT(seconds_in_the_street(true), seconds_in_the_street(false));
  EXPECT_LT(seconds_in_the_street(false), 10);
}

// Clocks of the wall jump, time zones and all; she is heard for as long as her EIDs fit, and has
// left when they do not, and is found again when the clock is right.
TEST_F(TrackerTest, JumpsOfTheWallClockKeepNobodyAndLoseNobody) {
  std::minstd_rand dice(17);
  for (int round = 0; round < 200; ++round) {
    Tracker tracker;
    tracker.set_identities({ann_}, now_at(0));
    const auto run = [&](double from, double to, std::chrono::seconds ahead) {
      for (double t = from; t < to; t += 0.25) {
        Now now = now_at(t);
        now.wall += ahead;
        tracker.tick(now);
        tracker.handle(phone_advert(ann_, -62, now_at(t)), now);
      }
    };
    run(0, 5, {});
    EXPECT_EQ(tracker.present(), 1U);
    const auto jump = std::chrono::seconds{static_cast<int>(dice() % 200'000) - 100'000};
    const bool lost = std::abs(jump.count()) > 3 * 128;
    run(5, 30, jump);
    if (lost) {
      EXPECT_EQ(tracker.present(), 0U) << jump.count();
    }
    run(30, 35, {});
    EXPECT_EQ(tracker.present(), 1U) << jump.count();
  }
}

TEST_F(TrackerTest, FastMovesBeforeSettled) {
  hear(ann_, 0, 10, -84);
  double fast = 0;
  double settled = 0;
  for (double t = 10; t < 30; t += 0.25) {
    hear(ann_, t, t + 0.25, -62);
    if (fast == 0 && last_.fast == Zone::desk) fast = t;
    if (settled == 0 && last_.settled == Zone::desk) settled = t;
  }
  EXPECT_LT(fast, 14);
  EXPECT_GT(settled, fast);
  EXPECT_LT(settled, 22);
}

TEST_F(TrackerTest, NobodyFlickersAtTheEdgeOfAZone) {
  // 2.5 m is the edge of the desk: -67.8 dBm.
  std::minstd_rand dice(3);
  std::vector<Zone> settled;
  for (double t = 0; t < 600; t += 0.25) {
    const int rssi = -68 + static_cast<int>(dice() % 7) - 3;
    hear(ann_, t, t + 0.25, rssi);
    if (settled.empty() || settled.back() != last_.settled) settled.push_back(last_.settled);
  }
  EXPECT_LE(settled.size(), 2U);
}

TEST_F(TrackerTest, LeavingIsNoticedAfterTheConfiguredTimeAndSaidOnce) {
  hear(ann_, 0, 10, -62);
  claims_ = 0;
  double left = 0;
  for (double t = 10; t < 60; t += 0.1) {
    keep(tracker_.tick(now_at(t)));
    if (left == 0 && claims_ > 0) left = t;
  }
  EXPECT_NEAR(left, 29.75, 0.3);
  EXPECT_EQ(claims_, 1);
  EXPECT_EQ(last_.fast, Zone::away);
  EXPECT_EQ(last_.settled, Zone::away);
  EXPECT_EQ(tracker_.present(), 0U);
}

TEST_F(TrackerTest, UnchangedClaimsAreRepeatedNowAndThen) {
  hear(ann_, 0, 10, -62);
  claims_ = 0;
  hear(ann_, 10, 30, -62);
  EXPECT_GE(claims_, 8);
  EXPECT_LE(claims_, 12);
}

TEST_F(TrackerTest, AFobIsAStaticSourceAndAPhoneBesideItCountsMore) {
  hear(mia_, 0, 5, -62);
  EXPECT_EQ(last_.source, ClaimSource::static_beacon);
  IdentityKey phone_too = phone("mia", 9);
  know({ann_, mia_, phone_too});
  hear(phone_too, 5, 8, -62);
  hear(mia_, 8, 12, -62);
  EXPECT_EQ(last_.source, ClaimSource::eddystone_eid);
}

TEST_F(TrackerTest, AFrameWithoutPowerIsHeardButNotRanged) {
  for (double t = 0; t < 10; t += 0.25) {
    keep(tracker_.handle(fob_advert(mia_, -40, now_at(t), 0), now_at(t)));
    EXPECT_EQ(tracker_.place(CustomerId("mia"))->distance, std::nullopt);
  }
  EXPECT_EQ(last_.fast, Zone::street);
}

// Nobody sees her name because somebody recorded her phone's address; the visit goes on.
TEST_F(TrackerTest, AnAddressRecordedLongAgoIsAStaticSource) {
  const IdentityKey irk = phone("ann", 4, 0, IdentityKind::irk);
  know({irk});
  const auto hear_address = [&](std::uint32_t prand, double from) {
    for (double t = from; t < from + 10; t += 0.25) {
      AdvertReport r = report({}, -62, now_at(t));
      r.address = address_of(irk, prand);
      keep(tracker_.handle(r, now_at(t)));
      keep(tracker_.tick(now_at(t)));
    }
  };
  hear_address(7, 0);
  EXPECT_EQ(last_.source, ClaimSource::resolvable_address);
  hear_address(7, 90 * 86400.0);
  EXPECT_EQ(last_.source, ClaimSource::static_beacon);
  EXPECT_EQ(last_.fast, Zone::desk);
  EXPECT_EQ(tracker_.counters().copies, 0U);
  hear_address(8, 90 * 86400.0 + 10);
  EXPECT_EQ(last_.source, ClaimSource::resolvable_address) << "her phone itself, beside it";
}

// As seen in the field. -62 dBm with the default of -59 dBm at 1 m is the desk, -88 dBm the street;
// 0 means that the distance is unknown.
TEST_F(TrackerTest, APowerThatCannotBeIsTakenForTheDefaultAndCounted) {
  struct Case {
    std::int8_t power;
    int rssi;
    Zone zone;
    bool impossible;
  };
  for (const Case& c : {Case{-59, -62, Zone::desk, false}, Case{-3, -62, Zone::desk, true},
                        Case{1, -62, Zone::desk, true}, Case{0, -62, Zone::street, true},
                        Case{127, -62, Zone::desk, true}, Case{-100, -88, Zone::street, true},
                        Case{-128, -88, Zone::street, true}, Case{-19, -88, Zone::street, true},
                        Case{-85, -88, Zone::desk, false}}) {
    Tracker tracker;
    tracker.set_identities({mia_}, now_at(0));
    IdentityClaim last;
    for (double t = 0; t < 20; t += 0.25) {
      for (auto& claim : tracker.handle(fob_advert(mia_, c.rssi, now_at(t), c.power), now_at(t))) {
        last = std::move(claim);
      }
    }
    EXPECT_EQ(last.fast, c.zone) << int{c.power};
    EXPECT_EQ(last.settled, c.zone) << int{c.power};
    EXPECT_EQ(tracker.counters().impossible_power, c.impossible ? 80U : 0U) << int{c.power};
  }
}

TEST_F(TrackerTest, AnImpossibleCalibrationGivesWayToTheFrame) {
  IdentityKey calibrated = mia_;
  calibrated.measured_power_1m_dbm = -3;
  know({calibrated});
  hear(calibrated, 0, 10, -62);
  EXPECT_EQ(last_.fast, Zone::desk);
  EXPECT_EQ(tracker_.counters().impossible_power, 40U);
}

TEST_F(TrackerTest, AnImpossibleRssiMovesNobodyAndIsCounted) {
  hear(ann_, 0, 20, -84);
  for (double t = 20; t < 40; t += 0.25) {
    constexpr std::array kImpossible{100, 1, 0, -121, -127, -128};
    const int rssi = kImpossible[static_cast<std::size_t>(t * 4) % kImpossible.size()];
    keep(tracker_.handle(phone_advert(ann_, rssi, now_at(t)), now_at(t)));
    keep(tracker_.tick(now_at(t)));
  }
  EXPECT_EQ(last_.fast, Zone::street);
  EXPECT_EQ(last_.settled, Zone::street);
  EXPECT_EQ(tracker_.present(), 1U);
  EXPECT_EQ(tracker_.counters().impossible_rssi, 80U);
  EXPECT_EQ(tracker_.counters().copies, 0U);
}

TEST_F(TrackerTest, ACalibratedPowerWinsOverTheFrame) {
  IdentityKey calibrated = mia_;
  calibrated.measured_power_1m_dbm = -75;  // a weak fob
  know({calibrated});
  hear(calibrated, 0, 10, -78);
  EXPECT_EQ(last_.fast, Zone::desk);
}

TEST_F(TrackerTest, StrangersLeaveNothingButACount) {
  const IdentityKey stranger = phone("nobody", 77);
  hear(stranger, 0, 5, -50);
  EXPECT_EQ(claims_, 0);
  EXPECT_EQ(tracker_.present(), 0U);
  EXPECT_EQ(tracker_.counters().discarded, 20U);
  EXPECT_EQ(tracker_.counters().identified, 0U);
  EXPECT_EQ(tracker_.counters().heard[static_cast<std::size_t>(AdvertType::eddystone_eid)], 20U);
}

TEST_F(TrackerTest, WhoWithdrawsIsForgottenAtOnceWithoutAClaim) {
  hear(ann_, 0, 10, -62);
  claims_ = 0;
  tracker_.set_identities({mia_}, now_at(10));
  hear(ann_, 10, 40, -62);
  EXPECT_EQ(claims_, 0);
  EXPECT_EQ(tracker_.present(), 0U);
}

TEST_F(TrackerTest, AReportWithoutRssiKeepsHerPresentWithoutMovingHer) {
  hear(ann_, 0, 10, -62);
  for (double t = 10; t < 60; t += 0.25) {
    keep(tracker_.handle(phone_advert(ann_, kNoRssi, now_at(t)), now_at(t)));
    keep(tracker_.tick(now_at(t)));
  }
  EXPECT_EQ(last_.fast, Zone::desk);
  EXPECT_EQ(tracker_.present(), 1U);
}

TEST_F(TrackerTest, TheSameDayGivesTheSameClaims) {
  const auto day = [&] {
    Tracker tracker;
    tracker.set_identities({ann_, mia_}, now_at(0));
    std::string text;
    std::minstd_rand dice(5);
    for (double t = 0; t < 300; t += 0.1) {
      const Now now = now_at(t);
      auto claims = tracker.tick(now);
      const int rssi = -60 - static_cast<int>(dice() % 25);
      for (auto& c : tracker.handle(
               dice() % 2 == 0 ? phone_advert(ann_, rssi, now) : fob_advert(mia_, rssi, now),
               now)) {
        claims.push_back(std::move(c));
      }
      for (const auto& c : claims) {
        text += c.customer.str() + std::string(to_string(c.fast)) +
                std::string(to_string(c.settled)) + std::to_string(c.at.time_since_epoch().count());
      }
    }
    return text;
  };
  EXPECT_EQ(day(), day());
}

}  // namespace
}  // namespace welcome::beacon
