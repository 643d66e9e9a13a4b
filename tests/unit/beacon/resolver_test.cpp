// SPDX-License-Identifier: Apache-2.0
#include "beacon/resolver.h"

#include <gtest/gtest.h>

#include "tests/unit/beacon/adverts.h"

namespace welcome::beacon {
namespace {

using namespace testing;

class ResolverTest : public ::testing::Test {
 protected:
  void know(std::vector<IdentityKey> keys, const Now& now) {
    resolver_.set(std::move(keys), now);
    settle(now);
  }
  void settle(const Now& now) {
    for (int i = 0; i < 10'000 && !resolver_.refresh(now, 64); ++i) {
    }
  }
  // The customer's id, or "" for nobody.
  std::string who(const AdvertReport& report, const Now& now) {
    AdvertType type = AdvertType::other;
    const auto match = resolver_.resolve(report, now, type);
    return match ? resolver_.customer(match->customer).str() : "";
  }
  Resolver resolver_;
};

TEST_F(ResolverTest, EveryRotationExponentIsFollowedThroughManyWindows) {
  for (const auto kind : {IdentityKind::eddystone_eid, IdentityKind::rotating_uuid}) {
    for (unsigned k = 0; k <= kLongestRotationExponent; ++k) {
      const IdentityKey key = phone("ann", 1 + k, k, kind);
      know({key}, now_at(0));
      const double window = static_cast<double>(1U << k);
      for (double t = 0; t < 5 * window; t += window / 2) {
        settle(now_at(t));
        EXPECT_EQ(who(phone_advert(key, -60, now_at(t)), now_at(t)), "ann") << k << " at " << t;
      }
    }
  }
}

TEST_F(ResolverTest, AClockThatIsOffByOneWindowIsStillHers) {
  const IdentityKey key = phone("ann", 1, 7);
  know({key}, now_at(0));
  EXPECT_EQ(who(phone_advert(key, -60, now_at(0), -100), now_at(0)), "ann");
  EXPECT_EQ(who(phone_advert(key, -60, now_at(0), +100), now_at(0)), "ann");
  EXPECT_EQ(who(phone_advert(key, -60, now_at(0), +300), now_at(0)), "");
}

TEST_F(ResolverTest, AFobThatDrifts150PpmIsFollowedForAYear) {
  const IdentityKey key = phone("ann", 1, 7);
  know({key}, now_at(0));
  for (double day = 0; day < 365; day += 0.5) {
    const Now now = now_at(day * 86400);
    settle(now);
    // Set exactly at the start of the test, 30 days after its clock zero.
    EXPECT_EQ(who(phone_advert(key, -60, now, day * 86400 * 150e-6), now), "ann") << day;
  }
}

// What was learnt of the devices that are loaded.
LearntDevices learnt_by(Resolver& resolver) {
  LearntDevices out;
  for (const auto& learnt : resolver.take_learnt()) out[learnt.device] = learnt.what;
  return out;
}

TEST_F(ResolverTest, WhatWasLearntOfAClockOutlivesARestart) {
  const IdentityKey key = phone("ann", 1, 7);
  know({key}, now_at(0));
  double t = 0;
  const auto ahead = [&] { return t * 150e-6; };
  for (; ahead() < 600; t += 43'200) {
    settle(now_at(t));
    ASSERT_EQ(who(phone_advert(key, -60, now_at(t), ahead()), now_at(t)), "ann") << t;
  }
  const LearntDevices learnt = learnt_by(resolver_);
  ASSERT_EQ(learnt.size(), 1U);
  EXPECT_NEAR(learnt.begin()->second.clock_ahead_s, 600, 130);
  EXPECT_TRUE(resolver_.take_learnt().empty()) << "said once";

  // Without it she would be a stranger: ten minutes are five windows.
  resolver_ = Resolver();
  know({key}, now_at(t));
  EXPECT_EQ(who(phone_advert(key, -60, now_at(t), ahead()), now_at(t)), "");
  resolver_ = Resolver();
  resolver_.set({key}, now_at(t), learnt);
  for (const double end = t + 365 * 86'400; t < end; t += 43'200) {
    settle(now_at(t));
    ASSERT_EQ(who(phone_advert(key, -60, now_at(t), ahead()), now_at(t)), "ann") << t;
  }
  EXPECT_NEAR(learnt_by(resolver_).begin()->second.clock_ahead_s, ahead(), 130);
}

TEST_F(ResolverTest, AnotherKeyOfTheSameIdIsAnotherDevice) {
  const IdentityKey old_key = phone("ann", 1, 7);
  know({old_key}, now_at(0));
  const double month = 30 * 86'400;
  settle(now_at(month));
  who(phone_advert(old_key, -60, now_at(month), 128), now_at(month));
  const LearntDevices learnt = learnt_by(resolver_);
  ASSERT_EQ(learnt.size(), 1U);
  IdentityKey new_key = phone("ann", 2, 7);
  new_key.identity = old_key.identity;
  resolver_ = Resolver();
  resolver_.set({new_key}, now_at(month), learnt);
  settle(now_at(month));
  EXPECT_EQ(who(phone_advert(new_key, -60, now_at(month), -100), now_at(month)), "ann");
}

// A fob that lay in a drawer has drifted, and nobody could learn by how much: it is known again as
// long as it is off by less than one window. Wider windows for who was away would let old EIDs
// pass.
TEST_F(ResolverTest, AMonthInADrawerIsNoMatterFromExponent9On) {
  const double off = 30 * 86'400 * 150e-6;  // 389 s
  for (unsigned k = 0; k <= kLongestRotationExponent; ++k) {
    const IdentityKey key = phone("ann", 1 + k, k);
    resolver_ = Resolver();
    know({key}, now_at(0));
    ASSERT_EQ(who(phone_advert(key, -60, now_at(0)), now_at(0)), "ann");
    int known = 0;
    for (int i = 0; i < 64; ++i) {
      const double t = 30 * 86'400 + i * 977;
      settle(now_at(t));
      known += who(phone_advert(key, -60, now_at(t), off), now_at(t)) == "ann" ? 1 : 0;
    }
    if (k >= 9) {
      EXPECT_EQ(known, 64) << k;
    } else if (k <= 7) {
      EXPECT_EQ(known, 0) << k << ": a stranger until the CRM renews its clock_zero";
    }
  }
}

TEST_F(ResolverTest, AnUpdateChangesTheNamedCustomersAndNobodyElse) {
  const IdentityKey ann = phone("ann", 1, 7), bob = phone("bob", 2, 7),
                    ann_new = phone("ann", 3, 7);
  const Now now = now_at(0);
  know({ann, bob}, now);
  resolver_.update({CustomerId("ann"), CustomerId("cid")}, {ann_new, phone("cid", 4, 7)}, now);
  settle(now);
  EXPECT_EQ(who(phone_advert(ann, -60, now), now), "") << "her old key is gone";
  EXPECT_EQ(who(phone_advert(ann_new, -60, now), now), "ann");
  EXPECT_EQ(who(phone_advert(phone("cid", 4, 7), -60, now), now), "cid");
  EXPECT_EQ(who(phone_advert(bob, -60, now), now), "bob");
  resolver_.update({CustomerId("ann"), CustomerId("bob")}, {}, now);
  EXPECT_FALSE(resolver_.knows(CustomerId("ann")));
  EXPECT_FALSE(resolver_.knows(CustomerId("bob")));
  EXPECT_TRUE(resolver_.knows(CustomerId("cid")));
  EXPECT_EQ(resolver_.identities(), 1U);
}

TEST_F(ResolverTest, AReplayedEidIsRefusedAndCountedAndCannotDragTheClockAlong) {
  const IdentityKey key = phone("ann", 1, 7);
  know({key}, now_at(0));
  const AdvertReport recorded = phone_advert(key, -60, now_at(0));
  double accepted_until = 0;
  for (double t = 0; t < 3600; t += 10) {
    settle(now_at(t));
    if (who(recorded, now_at(t)) == "ann") accepted_until = t;
  }
  EXPECT_LT(accepted_until, 3 * 128);
  EXPECT_GT(resolver_.counters().replayed, 0U);
  EXPECT_EQ(who(phone_advert(key, -60, now_at(3600)), now_at(3600)), "ann");
}

TEST_F(ResolverTest, TheClockMayJumpForwardsAndBackwards) {
  const IdentityKey key = phone("ann", 1, 7);
  know({key}, now_at(0));
  for (const double t : {1e6, 10.0, 3e7, -1e6, 0.0}) {
    settle(now_at(t));
    EXPECT_EQ(who(phone_advert(key, -60, now_at(t)), now_at(t)), "ann") << t;
  }
}

TEST_F(ResolverTest, BeforeItsClockZeroADeviceHasNothingToSay) {
  IdentityKey key = phone("ann", 1, 7);
  key.clock_zero = kMorning + std::chrono::hours{1};
  know({key}, now_at(0));
  EXPECT_EQ(who(eid_advert(Eid{}, -60, now_at(0)), now_at(0)), "");
  settle(now_at(3700));
  EXPECT_EQ(who(phone_advert(key, -60, now_at(3700)), now_at(3700)), "ann");
}

TEST_F(ResolverTest, AResolvableAddressIsTriedOnceAndRemembered) {
  const IdentityKey key = phone("ann", 5, 0, IdentityKind::irk);
  know({phone("bob", 6, 0, IdentityKind::irk), key}, now_at(0));
  AdvertReport hers = report({}, -60, now_at(0));
  hers.address = address_of(key, 0x123456);
  AdvertReport stranger = hers;
  stranger.address = address_of(phone("eve", 7), 0x123456);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(who(hers, now_at(i)), "ann");
    EXPECT_EQ(who(stranger, now_at(i)), "");
  }
  EXPECT_EQ(resolver_.counters().addresses_tried, 2U);
}

TEST_F(ResolverTest, OnlyRandomAddressesAreResolved) {
  const IdentityKey key = phone("ann", 5, 0, IdentityKind::irk);
  know({key}, now_at(0));
  AdvertReport r = report({}, -60, now_at(0));
  r.address = address_of(key, 1);
  for (const auto type : {AddressType::public_device, AddressType::public_identity,
                          AddressType::random_identity, AddressType::anonymous}) {
    r.address_type = type;
    EXPECT_EQ(who(r, now_at(0)), "");
  }
}

TEST_F(ResolverTest, ANewKeyFindsAnAddressThatWasAStrangersBefore) {
  const IdentityKey key = phone("ann", 5, 0, IdentityKind::irk);
  know({phone("bob", 6, 0, IdentityKind::irk)}, now_at(0));
  AdvertReport r = report({}, -60, now_at(0));
  r.address = address_of(key, 99);
  EXPECT_EQ(who(r, now_at(0)), "");
  know({phone("bob", 6, 0, IdentityKind::irk), key}, now_at(1));
  EXPECT_EQ(who(r, now_at(1)), "ann");
  know({phone("bob", 6, 0, IdentityKind::irk)}, now_at(2));
  EXPECT_EQ(who(r, now_at(2)), "");
}

TEST_F(ResolverTest, AFloodOfNewAddressesIsDeferredNotServed) {
  ResolverConfig config;
  config.key_tries_per_second = 10;
  resolver_ = Resolver(config);
  know({phone("ann", 1, 0, IdentityKind::irk)}, now_at(0));
  AdvertReport r = report({}, -60, now_at(0));
  for (std::uint32_t i = 0; i < 1000; ++i) {
    r.address = {0x41, 0, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i), 0, 0};
    who(r, now_at(10));
  }
  EXPECT_LE(resolver_.counters().addresses_tried, 11U);
  EXPECT_GT(resolver_.counters().addresses_deferred, 900U);
}

TEST_F(ResolverTest, StaticIdsAreLookedUpExactly) {
  const IdentityKey key = fob("mia");
  know({key}, now_at(0));
  EXPECT_EQ(who(fob_advert(key, -60, now_at(0)), now_at(0)), "mia");
  IdentityKey other = key;
  other.static_id[19] = static_cast<std::uint8_t>(other.static_id[19] + 1);
  EXPECT_EQ(who(fob_advert(other, -60, now_at(0)), now_at(0)), "");
}

TEST_F(ResolverTest, ReplacingTheIdentitiesForgetsAtOnceAndKeepsWhoStays) {
  const IdentityKey ann = phone("ann", 1);
  const IdentityKey bob = phone("bob", 2);
  know({ann, bob, fob("mia")}, now_at(0));
  // No refresh in between: who stays must be known without a gap.
  resolver_.set({bob}, now_at(1));
  EXPECT_EQ(who(phone_advert(ann, -60, now_at(1)), now_at(1)), "");
  EXPECT_EQ(who(fob_advert(fob("mia"), -60, now_at(1)), now_at(1)), "");
  EXPECT_EQ(who(phone_advert(bob, -60, now_at(1)), now_at(1)), "bob");
  EXPECT_EQ(resolver_.identities(), 1U);
  EXPECT_FALSE(resolver_.knows(CustomerId("ann")));
}

TEST_F(ResolverTest, AnIdentityThatMovesToAnotherCustomerIsHersAtOnce) {
  IdentityKey key = phone("ann", 1);
  know({key}, now_at(0));
  key.customer = CustomerId("bea");
  know({key}, now_at(1));
  EXPECT_EQ(who(phone_advert(key, -60, now_at(1)), now_at(1)), "bea");
}

TEST_F(ResolverTest, AnyOrderOfFeedChangesEndsInTheSameIdentities) {
  std::vector<IdentityKey> all;
  for (std::uint32_t i = 0; i < 40; ++i) all.push_back(phone("c" + std::to_string(i), i + 1));
  unsigned seed = 7;
  for (int step = 0; step < 200; ++step) {
    std::vector<IdentityKey> some;
    std::vector<bool> in(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      seed = seed * 1664525U + 1013904223U;
      in[i] = (seed >> 31U) != 0;
      if (in[i]) some.push_back(all[i]);
    }
    know(some, now_at(step * 20));
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Now now = now_at(step * 20);
      ASSERT_EQ(who(phone_advert(all[i], -60, now), now), in[i] ? all[i].customer.str() : "");
    }
  }
}

// A large snapshot is announced, and nobody in it has consented.
TEST_F(ResolverTest, KeysThatAreExpectedAndNotThereEndNothing) {
  resolver_.expect(100'000);
  know({}, now_at(0));
  const IdentityKey key = phone("ann", 1, 7);
  know({key}, now_at(0));
  EXPECT_EQ(who(phone_advert(key, -60, now_at(0)), now_at(0)), "ann");
}

TEST_F(ResolverTest, ASliceOfARefreshComputesNoMoreThanAsked) {
  std::vector<IdentityKey> all;
  for (std::uint32_t i = 0; i < 100; ++i) all.push_back(phone("c" + std::to_string(i), i + 1));
  resolver_.set(all, now_at(0));
  int slices = 0;
  while (!resolver_.refresh(now_at(0), 10)) ASSERT_LT(++slices, 1000);
  EXPECT_GE(slices, 40);  // 100 identities with 5 windows each
}

TEST_F(ResolverTest, TheBitForMovingIsReadAndNoOtherBitIsForgiven) {
  const IdentityKey app = phone("app", 21, 7, IdentityKind::rotating_uuid);
  Resolver resolver;
  resolver.set({app}, now_at(0));
  resolver.refresh(now_at(0), 100);
  AdvertType type{};
  AdvertReport r = phone_advert(app, -60, now_at(1));
  const auto plain = resolver.resolve(r, now_at(1), type);
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->moving);
  std::vector<std::uint8_t> ad(r.ad.view().begin(), r.ad.view().end());
  for (std::size_t byte = 5; byte < 21; ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      auto other = ad;
      other[byte] = static_cast<std::uint8_t>(other[byte] ^ (1U << bit));
      r.ad = AdBytes(other);
      const auto found = resolver.resolve(r, now_at(1), type);
      const bool moving_bit = byte == 5 && bit == 0;
      EXPECT_EQ(found.has_value(), moving_bit) << byte << "." << bit;
      if (found) {
        EXPECT_TRUE(found->moving);
      }
    }
  }
}

// A recorded resolvable address is as good as the phone itself until the phone changes it.
class OldAddresses : public ::testing::Test {
 protected:
  std::optional<Resolved> hear(Resolver& resolver, std::uint32_t prand, double t) {
    AdvertReport r = report({}, -60, now_at(t));
    r.address = address_of(key_, prand);
    AdvertType type = AdvertType::other;
    return resolver.resolve(r, now_at(t), type);
  }
  static constexpr double kHour = 3600;
  static constexpr double kDay = 24 * kHour;
  const IdentityKey key_ = phone("ann", 5, 0, IdentityKind::irk);
};

TEST_F(OldAddresses, ProveSomethingForAnHourAndThenNothingForEver) {
  Resolver resolver;
  resolver.set({key_}, now_at(0));
  EXPECT_FALSE(hear(resolver, 1, 0)->recorded);
  EXPECT_FALSE(hear(resolver, 1, 0.9 * kHour)->recorded);
  EXPECT_TRUE(hear(resolver, 1, 1.1 * kHour)->recorded);
  EXPECT_FALSE(hear(resolver, 2, 1.1 * kHour)->recorded) << "the phone itself, with its next one";
  EXPECT_TRUE(hear(resolver, 1, 90 * kDay)->recorded);
  EXPECT_TRUE(hear(resolver, 2, 90 * kDay)->recorded);
  EXPECT_FALSE(hear(resolver, 3, 90 * kDay)->recorded);
  EXPECT_EQ(resolver.counters().old_addresses, 3U);
}

TEST_F(OldAddresses, AreKnownAfterARestartAndAfterACalibration) {
  for (const double later : {10.0, 90 * kDay}) {
    Resolver resolver;
    resolver.set({key_}, now_at(0));
    hear(resolver, 1, 0);
    IdentityKey calibrated = key_;
    calibrated.measured_power_1m_dbm = -65;
    resolver.set({calibrated}, now_at(1));
    EXPECT_TRUE(hear(resolver, 1, 2 * kHour)->recorded);
    const LearntDevices learnt = learnt_by(resolver);

    Resolver restarted;
    restarted.set({calibrated}, now_at(2 * kHour + later), learnt);
    EXPECT_TRUE(hear(restarted, 1, 2 * kHour + later)->recorded);
    EXPECT_FALSE(hear(restarted, 2, 2 * kHour + later)->recorded);
  }
}

TEST_F(OldAddresses, TakeNoMoreMemoryThanSoManyOfThem) {
  Resolver resolver;
  resolver.set({key_}, now_at(0));
  const auto before = resolver.bytes();
  constexpr unsigned kRotations = 20'000;  // more than half a year, day and night
  for (unsigned i = 0; i < kRotations; ++i) {
    EXPECT_FALSE(hear(resolver, i, 900.0 * i)->recorded);
  }
  EXPECT_LT(resolver.bytes(), before + 8192);
  for (unsigned i = 1; i < HeardAddresses::kMost - 8; ++i) {
    EXPECT_TRUE(hear(resolver, kRotations - 1 - i, 900.0 * kRotations + kDay)->recorded) << i;
  }
}

TEST_F(OldAddresses, NoClockMakesThemNew) {
  Resolver resolver;
  resolver.set({key_}, now_at(0));
  hear(resolver, 1, 0);
  hear(resolver, 2, 90 * kDay);
  hear(resolver, 3, 0);  // set back
  EXPECT_TRUE(hear(resolver, 2, 0)->recorded);
  EXPECT_TRUE(hear(resolver, 1, 0)->recorded);
  EXPECT_FALSE(hear(resolver, 3, 0)->recorded);
}

}  // namespace
}  // namespace welcome::beacon
