// SPDX-License-Identifier: Apache-2.0
// Keys that do not fit their devices.

#include "beacon/key_doubts.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "beacon/resolver.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome::beacon {
namespace {

using namespace testing;

IdentityKey irk(const std::string& customer, std::uint32_t n) {
  return phone(customer, n, 0, IdentityKind::irk);
}

AdvertReport from(const Address& address, const Now& now) {
  AdvertReport r = report({}, -60, now);
  r.address = address;
  return r;
}

// Works for that long.
void work(KeyDoubts& doubts, double& t, double lasting_s) {
  for (const double end = t + lasting_s; t < end; t += 0.05) doubts.work(now_at(t));
}

TEST(KeyDoubts, AnIrkWrittenTheWrongWayRoundIsSaid) {
  const IdentityKey real = irk("ann", 5);
  IdentityKey given = real;
  std::reverse(given.key.begin(), given.key.end());
  KeyDoubts doubts;
  std::vector<IdentityKey> keys{given};
  for (unsigned i = 0; i < 500; ++i) keys.push_back(irk("other" + std::to_string(i), 100 + i));
  doubts.set(keys);
  double t = 0;
  doubts.unknown(from(address_of(real, 0x111111), now_at(t)), now_at(t));
  work(doubts, t, 2);
  EXPECT_TRUE(doubts.take().empty()) << "one address may fit by chance";
  t += 900;
  doubts.unknown(from(address_of(real, 0x222222), now_at(t)), now_at(t));
  work(doubts, t, 2);
  const auto said = doubts.take();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].kind, KeyDoubts::Kind::reversed_irk);
  EXPECT_EQ(said[0].customer, given.customer);
  EXPECT_EQ(said[0].identity, KeyDoubts::identity_tag(given.identity));
  t += 900;
  doubts.unknown(from(address_of(real, 0x333333), now_at(t)), now_at(t));
  work(doubts, t, 2);
  EXPECT_TRUE(doubts.take().empty()) << "said once";
}

TEST(KeyDoubts, StrangersAndRightKeysRaiseNone) {
  KeyDoubts doubts;
  std::vector<IdentityKey> keys;
  for (unsigned i = 0; i < 200; ++i) keys.push_back(irk("c" + std::to_string(i), i));
  keys.push_back(phone("eve", 900, 10));
  doubts.set(keys);
  double t = 0;
  for (unsigned i = 0; i < 200; ++i) {
    doubts.unknown(from(address_of(irk("nobody", 5000 + i), i * 77), now_at(t)), now_at(t));
    doubts.unknown(phone_advert(phone("nobody", 6000 + i), -60, now_at(t)), now_at(t));
    work(doubts, t, 1);
  }
  EXPECT_TRUE(doubts.take().empty());
}

TEST(KeyDoubts, AnEidFobWithANewBatteryIsSaidWithTheTimeOfItsClock) {
  const IdentityKey fob = phone("ann", 7, 10);
  std::vector<IdentityKey> keys{fob};
  for (unsigned i = 0; i < 20; ++i) keys.push_back(phone("x" + std::to_string(i), 50 + i, 10));
  KeyDoubts doubts;
  doubts.set(keys);
  // The battery was changed nine days ago; its clock began at 0 then.
  IdentityKey now_sends = fob;
  const WallTime changed = kMorning - std::chrono::hours{9 * 24};
  now_sends.clock_zero = changed;
  double t = 0;
  doubts.unknown(phone_advert(now_sends, -60, now_at(t)), now_at(t));
  work(doubts, t, 60);
  const auto said = doubts.take();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].kind, KeyDoubts::Kind::clock_began_anew);
  EXPECT_EQ(said[0].identity, KeyDoubts::identity_tag(fob.identity));
  EXPECT_LE(std::chrono::abs(said[0].clock_zero - changed), std::chrono::seconds{512});
  // With that time it is found again.
  IdentityKey mended = fob;
  mended.clock_zero = said[0].clock_zero;
  Resolver resolver;
  resolver.set({mended}, now_at(t));
  while (!resolver.refresh(now_at(t), 100)) {
  }
  AdvertType type{};
  EXPECT_TRUE(resolver.resolve(phone_advert(now_sends, -60, now_at(t)), now_at(t), type));
  // And what was heard before is no reason to doubt it.
  doubts.update({fob.customer}, {mended});
  work(doubts, t, 60);
  EXPECT_TRUE(doubts.take().empty());
}

TEST(KeyDoubts, WhoAsksIsToldAClockThatIsFarOff) {
  IdentityKey fob = phone("ann", 7, 8);
  fob.clock_zero = kMorning - std::chrono::hours{24 * 1000};
  KeyDoubts doubts;
  doubts.set({fob});
  for (const auto off : {std::chrono::hours{24 * 900}, std::chrono::hours{-24 * 100}}) {
    IdentityKey sends = fob;
    sends.clock_zero += off;
    doubts.unknown(phone_advert(sends, -60, now_at(5)), now_at(5));
    const auto zero = doubts.clock_zero_of(fob, now_at(5));
    ASSERT_TRUE(zero);
    EXPECT_LE(std::chrono::abs(*zero - sends.clock_zero), std::chrono::seconds{128});
    doubts.work(now_at(5000));  // what was heard is forgotten
  }
  EXPECT_FALSE(doubts.clock_zero_of(fob, now_at(5000)));
}

TEST(KeyDoubts, KeysOfThoseWhoAreGoneAreGone) {
  const IdentityKey fob = phone("ann", 7, 10);
  KeyDoubts doubts;
  doubts.set({fob});
  doubts.update({CustomerId("ann")}, {});
  IdentityKey sends = fob;
  sends.clock_zero = kMorning;
  double t = 0;
  doubts.unknown(phone_advert(sends, -60, now_at(t)), now_at(t));
  work(doubts, t, 5);
  EXPECT_TRUE(doubts.take().empty());
}

}  // namespace
}  // namespace welcome::beacon
