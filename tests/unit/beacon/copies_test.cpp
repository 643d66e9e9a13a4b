// SPDX-License-Identifier: Apache-2.0
// What is a copy, and what never is.

#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <random>
#include <unordered_set>
#include <vector>

#include "beacon/tracker.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome::beacon {
namespace {

using namespace testing;

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  std::uint32_t address() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::minstd_rand engine_;
};

// Two devices by turns, a second phone beside hers that sends what it heard of her: it proves
// nothing any more, but she is heard all the same.
TEST(Copies, OneIdentityFromTwoDevicesByTurnsProvesNothingAndEndsNoVisit) {
  for (const IdentityKey& key :
       {fob("mia"), phone("mia", 3), phone("mia", 3, 7, IdentityKind::rotating_uuid)}) {
    Tracker tracker;
    tracker.set_identities({key}, now_at(0));
    tracker.tick(now_at(0));
    double last_proof = 0;
    double last_claim = 0;
    int withdrawn = 0;
    for (int i = 0; i < 200; ++i) {
      const Now now = now_at(i * 0.2);
      AdvertReport r = key.kind == IdentityKind::ibeacon ? fob_advert(key, -62, now)
                                                         : phone_advert(key, -62, now);
      r.address[5] = static_cast<std::uint8_t>(i % 2);
      for (const auto& claim : tracker.handle(r, now)) {
        last_claim = i * 0.2;
        if (claim.source != ClaimSource::static_beacon) last_proof = i * 0.2;
        withdrawn += claim.doubted ? 1 : 0;
      }
    }
    EXPECT_GT(tracker.counters().copied, 100U);
    EXPECT_EQ(tracker.counters().copies, 1U);
    EXPECT_EQ(tracker.take_copied(), std::vector<CustomerId>{CustomerId("mia")});
    EXPECT_TRUE(tracker.take_copied().empty()) << "said once";
    EXPECT_EQ(withdrawn, 1) << "what was proved before is taken back";
    EXPECT_LT(last_proof, 18);
    EXPECT_GT(last_claim, 37);
  }
}

// What is known of one customer's device stays when the CRM has news of another, when all
// identities come again, or when the technician moves a zone.
TEST(Copies, NewsOfSomebodyElseForgivesNoCopy) {
  const IdentityKey mia = fob("mia");
  const std::unordered_set<CustomerId> ann{CustomerId("ann")};
  const auto gone = [&](Tracker& tracker) { tracker.update_identities(ann, {}, now_at(40)); };
  const auto other_key = [&](Tracker& tracker) {
    tracker.update_identities(ann, {phone("ann", 2)}, now_at(40));
  };
  const auto all_again = [&](Tracker& tracker) {
    tracker.set_identities({phone("zoe", 8), mia}, now_at(40));
  };
  const auto zones = [&](Tracker& tracker) {
    TrackerConfig config = tracker.config();
    config.zones.desk_m = 1.0;
    tracker.reconfigure(config);
  };
  const auto nothing = [](Tracker&) {};
  for (const std::function<void(Tracker&)>& news :
       std::initializer_list<std::function<void(Tracker&)>>{nothing, gone, other_key, all_again,
                                                            zones}) {
    Tracker tracker;
    tracker.set_identities({phone("ann", 1), mia}, now_at(0));
    for (int i = 0; i < 200; ++i) {
      AdvertReport r = fob_advert(mia, -62, now_at(i * 0.2));
      r.address[5] = static_cast<std::uint8_t>(i % 2);
      tracker.handle(r, now_at(i * 0.2));
    }
    ASSERT_EQ(tracker.counters().copies, 1U);
    news(tracker);
    const auto before = tracker.counters().copied;
    for (int i = 0; i < 200; ++i) {
      tracker.tick(now_at(40 + i));
      tracker.handle(fob_advert(mia, -62, now_at(40 + i)), now_at(40 + i));
    }
    EXPECT_EQ(tracker.counters().copied - before, 200U);
    EXPECT_EQ(tracker.counters().copies, 1U);
  }
}

TEST(Copies, NothingStaysOfWhoWithdrew) {
  const IdentityKey mia = fob("mia");
  Tracker tracker;
  tracker.set_identities({mia}, now_at(0));
  const auto before = tracker.bytes();
  for (int i = 0; i < 200; ++i) {
    AdvertReport r = fob_advert(mia, -62, now_at(i * 0.2));
    r.address[5] = static_cast<std::uint8_t>(i % 2);
    tracker.handle(r, now_at(i * 0.2));
  }
  EXPECT_GT(tracker.bytes(), before);
  tracker.update_identities({mia.customer}, {}, now_at(40));
  EXPECT_EQ(tracker.bytes(), before);
}

// A phone in a pocket fades by 30 dB and more within a second: one address is one device, however
// strong it is.
TEST(Copies, OneAddressIsOneDeviceHoweverItsLevelJumps) {
  for (const IdentityKey& key : {fob("mia"), phone("mia", 3)}) {
    Tracker tracker;
    tracker.set_identities({key}, now_at(0));
    tracker.tick(now_at(0));
    Dice dice(7);
    for (int i = 0; i < 2000; ++i) {
      const Now now = now_at(i * 0.1);
      const int rssi = (dice.below(2) == 0 ? -50 : -90) - dice.below(5);
      tracker.handle(key.kind == IdentityKind::ibeacon ? fob_advert(key, rssi, now)
                                                       : phone_advert(key, rssi, now),
                     now);
    }
    EXPECT_EQ(tracker.counters().copies, 0U);
    EXPECT_EQ(tracker.present(), 1U);
  }
}

// What an honest phone may do: a new address every few seconds, or in the middle of a window; the
// next advertising set up to ten seconds before the last one stops, twice or three times in a row;
// the same in a legacy and in an extended set for ever; a clock that the network corrects.
class HonestPhone {
 public:
  explicit HonestPhone(unsigned seed)
      : dice_(seed),
        key_(phone("ann", seed, 4 + seed % 7,
                   seed % 2 == 0 ? IdentityKind::eddystone_eid : IdentityKind::rotating_uuid)) {
    const bool both = seed % 3 == 0;
    sets_.push_back({dice_.address(), true, 0.0, 1e9});
    if (both) sets_.push_back({dice_.address(), false, 0.0, 1e9});
    rotation_s_ = 5.0 + dice_.below(1800);
    overlap_s_ = dice_.below(11);
    tracker_.set_identities({key_}, now_at(0));
  }

  void run(double hours, double per_second) {
    double rotate = rotation_s_;
    double ahead = 0;
    for (double t = 0; t < hours * 3600; t += 1 / per_second) {
      const Now now = now_at(t);
      tracker_.tick(now);
      if (t >= rotate) {
        rotate = t + rotation_s_;
        for (std::size_t i = sets_.size(); i-- > 0;) {
          if (sets_[i].until < 1e9) continue;
          sets_[i].until = t + overlap_s_;
          sets_.push_back({dice_.address(), sets_[i].legacy, t, 1e9});
        }
        ahead = dice_.below(13) - 6.0;
      }
      std::erase_if(sets_, [&](const Set& set) { return set.until < t; });
      const Set& set = sets_[static_cast<std::size_t>(dice_.below(static_cast<int>(sets_.size())))];
      // A set that is about to stop goes on with what it was started with.
      const double sent = set.until < 1e9 ? std::min(t, set.until - overlap_s_) : t;
      AdvertReport r = phone_advert(key_, -90 + dice_.below(50), now, sent - t + ahead);
      for (unsigned i = 0; i < 4; ++i) {
        r.address[2 + i] = static_cast<std::uint8_t>(set.address >> (8 * i));
      }
      r.extended = !set.legacy;
      for (const auto& claim : tracker_.handle(r, now)) {
        if (claim.doubted || claim.source == ClaimSource::static_beacon) ++unproved_;
      }
    }
  }

  const Tracker& tracker() const { return tracker_; }
  int unproved() const { return unproved_; }  // claims

 private:
  struct Set {
    std::uint32_t address;
    bool legacy;
    double since;
    double until;
  };
  Dice dice_;
  IdentityKey key_;
  Tracker tracker_;
  std::vector<Set> sets_;
  double rotation_s_ = 0;
  double overlap_s_ = 0;
  int unproved_ = 0;
};

// A sanitizer, ten times slower, looks at a hundred hours of them.
#if defined(__SANITIZE_ADDRESS__)
constexpr unsigned kHonestPhones = 3;
#else
constexpr unsigned kHonestPhones = 100;
#endif

TEST(Copies, NoHonestPhoneIsEverOneInThreeThousandHours) {
  constexpr int kHoursEach = 30;
  std::uint64_t refused = 0;
  for (unsigned seed = 1; seed <= kHonestPhones; ++seed) {
    HonestPhone honest(seed);
    honest.run(kHoursEach, 0.5);
    refused += honest.tracker().counters().copies;
    EXPECT_EQ(honest.tracker().counters().copies, 0U) << seed;
    EXPECT_EQ(honest.unproved(), 0) << seed;
    EXPECT_EQ(honest.tracker().present(), 1U) << seed;
  }
  RecordProperty("hours", static_cast<int>(kHonestPhones) * kHoursEach);
  RecordProperty("refused", static_cast<int>(refused));
}

// She is here from second 0 on, the copy with what it hears of her comes and goes; both are heard
// now and then. It is found while both are here, sooner when they are heard often.
TEST(Copies, ARealOneIsFoundWithinAMinute) {
  constexpr int kTries = 200;
  Dice dice(5);
  int found_in = 0;
  double longest_s = 0;
  for (int round = 0; round < kTries; ++round) {
    const IdentityKey key = round % 2 == 0 ? phone("ann", 1, 7 + round % 4) : fob("ann");
    const auto advert = [&](const Now& now) {
      return round % 2 == 0 ? phone_advert(key, -60, now) : fob_advert(key, -60, now);
    };
    Tracker tracker;
    tracker.set_identities({key}, now_at(0));
    const double rate = 0.5 + dice.below(8);
    const double comes = 20.0 + dice.below(60);
    double found = 0;
    for (double t = 0; t < comes + 70 && found == 0; t += 0.5 / rate) {
      const Now now = now_at(t);
      tracker.tick(now);
      AdvertReport r = advert(now);
      const bool copy = t > comes && dice.below(2) == 0;
      r.address[5] = copy ? 0xEE : 0x11;
      tracker.handle(r, now);
      if (tracker.counters().copies > 0) found = t;
    }
    EXPECT_GT(found, 0) << round;
    EXPECT_LT(found - comes, 20 + 20 / rate) << round;
    found_in += found > 0 ? 1 : 0;
    longest_s = std::max(longest_s, found - comes);
  }
  RecordProperty("tries", kTries);
  RecordProperty("found", found_in);
  RecordProperty("longest_s", std::to_string(longest_s));
}

// The EID of a window that the phone has left, with its address copied, too: an EID outside its
// window. Nothing of it is believed, and nobody is kept here by it when its window is long over.
TEST(Copies, AnEidThatHerPhoneNoLongerSendsProvesNothing) {
  for (const IdentityKind kind : {IdentityKind::eddystone_eid, IdentityKind::rotating_uuid}) {
    const IdentityKey key = phone("ann", 1, 7, kind);
    Tracker tracker;
    tracker.set_identities({key}, now_at(0));
    tracker.tick(now_at(0));
    const AdvertReport recorded = phone_advert(key, -60, now_at(10));
    const double next = 128 - std::fmod(beacon_time(now_at(10)), 128) + 10;
    tracker.handle(phone_advert(key, -60, now_at(next + 1)), now_at(next + 1));
    tracker.handle(recorded, now_at(next + 10));
    EXPECT_FALSE(tracker.last_match()->recorded) << "the overlap of two sets";
    for (double t = next + 20; t < next + 120; t += 1) {
      tracker.tick(now_at(t));
      tracker.handle(recorded, now_at(t));
      ASSERT_TRUE(tracker.last_match());
      EXPECT_TRUE(tracker.last_match()->recorded);
    }
    EXPECT_EQ(tracker.resolver_counters().replayed, 100U);
    for (double t = next + 260; t < next + 300; t += 1) {
      tracker.tick(now_at(t));
      tracker.handle(recorded, now_at(t));
      EXPECT_FALSE(tracker.last_match());
    }
  }
}

// Fading of 8 dB, a body that turns, a walk: the deepest fades come one at a time.
TEST(Copies, OneDeviceThatFadesAndWalksIsNoCopy) {
  const IdentityKey key = fob("mia");
  Tracker tracker;
  tracker.set_identities({key}, now_at(0));
  std::mt19937 dice(11);
  std::normal_distribution<double> fading(0.0, 5.0);
  for (int i = 0; i < 36'000; ++i) {
    const Now now = now_at(i * 0.1);
    const double metres = 6.0 + 5.5 * std::sin(i / 80.0);
    const int rssi =
        static_cast<int>(-59.0 - 22.0 * std::log10(metres) + std::min(6.0, fading(dice)));
    tracker.handle(fob_advert(key, std::max(rssi, -110), now), now);
  }
  EXPECT_EQ(tracker.counters().copies, 0U);
}

TEST(Copies, APhoneThatChangesItsAddressIsNoCopy) {
  const IdentityKey key = phone("ann", 3);
  Tracker tracker;
  tracker.set_identities({key}, now_at(0));
  for (int i = 0; i < 2000; ++i) {
    const Now now = now_at(i);
    tracker.tick(now);
    AdvertReport r = phone_advert(key, -62, now);
    r.address[5] = static_cast<std::uint8_t>(i / 10);
    tracker.handle(r, now);
  }
  EXPECT_EQ(tracker.counters().copied, 0U);
}

}  // namespace
}  // namespace welcome::beacon
