// SPDX-License-Identifier: Apache-2.0
// Clocks that are wrong in every way, and what the box makes of them.

#include "core/timekeeper.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace welcome {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::years;

constexpr WallTime kRight{std::chrono::sys_days{std::chrono::year{2026} / 5 / 4} + 8h};

// A machine whose clock the test sets, beside the time that really is.
struct Machine {
  Timekeeper keeper;
  MonoTime mono{1h};
  milliseconds beside{};
  std::optional<std::int64_t> synchronised;

  WallTime right() const {
    return kRight + std::chrono::duration_cast<milliseconds>(mono.time_since_epoch());
  }
  ClockState look() { return keeper.judge({mono, right() + beside, synchronised}); }
  void pass(std::chrono::microseconds time) { mono += time; }
  void ntp(milliseconds off = {}) {
    beside = off;
    synchronised = synchronised.value_or(0) + 1;
    look();
  }
  void crm(milliseconds late = {}) { keeper.crm_says({right() - late, mono}); }
};

TEST(Timekeeper, TheMachinesClockAloneIsNotBelievedHoweverLateItSaysItIs) {
  Machine m;
  for (const milliseconds beside : {milliseconds(0), milliseconds(4 * years(1)),
                                    -milliseconds(4 * years(1)), milliseconds(days(30))}) {
    m.beside = beside;
    const ClockState is = m.look();
    EXPECT_EQ(is.quality, ClockQuality::unknown);
    EXPECT_EQ(is.source, ClockSource::nobody);
    EXPECT_FALSE(is.now.wall_trusted);
    EXPECT_FALSE(is.agreed);
  }
}

TEST(Timekeeper, NtpThatComesLateIsBelievedFromThenOn) {
  Machine m;
  m.beside = -days(9);
  EXPECT_EQ(m.look().quality, ClockQuality::unknown);
  m.pass(10min);
  m.ntp();
  const ClockState is = m.look();
  EXPECT_EQ(is.quality, ClockQuality::synchronised);
  EXPECT_EQ(is.now.wall, m.right());
  EXPECT_FALSE(is.agreed) << "NTP is one witness, and deletion wants two";
}

TEST(Timekeeper, WithoutABatteryTheTimeIsTheCrmsWordAndWhatHasPassedSince) {
  Machine m;
  m.beside = -years(1);  // it began where it was last switched off
  m.crm();
  m.pass(30h);
  const ClockState is = m.look();
  EXPECT_EQ(is.quality, ClockQuality::bounded);
  EXPECT_EQ(is.source, ClockSource::crm);
  EXPECT_EQ(is.now.wall, m.right());
  EXPECT_EQ(is.machine, m.right() - years(1));
  EXPECT_FALSE(is.agreed);
}

TEST(Timekeeper, AMachineAndACrmThatAgreeMayDelete) {
  Machine m;
  m.beside = 2min;  // a battery clock that nobody has set for a while
  m.crm();
  const ClockState is = m.look();
  EXPECT_EQ(is.quality, ClockQuality::bounded);
  ASSERT_TRUE(is.agreed);
  EXPECT_EQ(is.agreed->wall(), m.right() + 2min);
  EXPECT_EQ(is.now.wall, m.right() + 2min) << "the machine's own clock, as it is as good";
}

TEST(Timekeeper, SetByHandAfterItWasSynchronisedItIsNotFollowed) {
  Machine m;
  m.ntp();
  m.pass(1h);
  for (const milliseconds by : {milliseconds(4 * years(1)), milliseconds(-1h)}) {
    m.beside = by;
    const ClockState is = m.look();
    EXPECT_EQ(is.quality, ClockQuality::bounded);
    EXPECT_EQ(is.now.wall, m.right()) << "what NTP said, and what has passed since";
    EXPECT_FALSE(is.agreed);
  }
  m.ntp();
  EXPECT_EQ(m.look().quality, ClockQuality::synchronised) << "and is believed again";
}

TEST(Timekeeper, NtpSpoofedByYearsDeletesNothing) {
  Machine m;
  m.crm();
  m.ntp(years(4));
  EXPECT_EQ(m.look().quality, ClockQuality::synchronised);
  EXPECT_FALSE(m.look().agreed);
  m.pass(1h);
  m.crm();
  EXPECT_FALSE(m.look().agreed);
  m.ntp();
  EXPECT_TRUE(m.look().agreed);
}

TEST(Timekeeper, NtpSpoofedIntoThePastIsOverruledByWhatTheCrmHasSigned) {
  Machine m;
  m.crm();
  m.ntp(-years(4));
  const ClockState is = m.look();
  EXPECT_EQ(is.quality, ClockQuality::bounded);
  EXPECT_EQ(is.source, ClockSource::crm);
  EXPECT_EQ(is.now.wall, m.right());
  EXPECT_FALSE(is.agreed);
}

TEST(Timekeeper, OldMessagesFromAQueueDoNotTurnTheTimeBack) {
  Machine m;
  m.crm();
  m.pass(1h);
  for (int hours = 20; hours >= 0; --hours) {
    m.crm(std::chrono::hours(hours));
    EXPECT_EQ(m.look().now.wall, m.right());
    m.pass(100ms);
  }
  m.crm();
  EXPECT_TRUE(m.look().agreed);
}

TEST(Timekeeper, ACrmWhoseOwnClockWasAheadIsBelievedAgainAfterTenMinutes) {
  Machine m;
  m.ntp();
  m.crm(-days(365));
  EXPECT_EQ(m.look().now.wall, m.right() + days(365));
  EXPECT_FALSE(m.look().agreed);
  for (int i = 0; i < 12; ++i) {
    m.pass(1min);
    m.crm();
    EXPECT_TRUE(i > 10 || !m.look().agreed);
  }
  EXPECT_EQ(m.look().quality, ClockQuality::synchronised);
  EXPECT_EQ(m.look().now.wall, m.right());
  EXPECT_TRUE(m.look().agreed);
}

TEST(Timekeeper, ATechniciansWordHoldsUntilTheNextBootAndDeletesNothing) {
  Machine m;
  m.keeper.technician_says({m.look().machine, m.mono});
  m.pass(days(40));
  ClockState is = m.look();
  EXPECT_EQ(is.quality, ClockQuality::bounded);
  EXPECT_EQ(is.source, ClockSource::technician);
  EXPECT_FALSE(is.agreed);
  m.beside = years(4);  // set by hand later
  EXPECT_EQ(m.look().now.wall, m.right());
  Machine next;  // boot
  EXPECT_EQ(next.look().quality, ClockQuality::unknown);
}

TEST(Timekeeper, NtpOfSomeHoursAgoIsBetterThanATechniciansWord) {
  Machine m;
  m.keeper.technician_says({m.right() + 4min, m.mono});
  m.ntp();
  m.pass(3h);
  m.synchronised.reset();
  EXPECT_EQ(m.look().quality, ClockQuality::bounded);
  EXPECT_EQ(m.look().source, ClockSource::ntp);
}

TEST(Timekeeper, TheCrmsWordIsBetterThanATechnicians) {
  Machine m;
  m.beside = days(1);
  m.keeper.technician_says({m.look().machine, m.mono});
  m.crm();
  EXPECT_EQ(m.look().source, ClockSource::crm);
  EXPECT_EQ(m.look().now.wall, m.right());
}

TEST(Timekeeper, ALeapSecondIsNoJump) {
  Machine m;
  m.ntp();
  m.crm();
  m.beside = -1s;  // the second that came twice
  EXPECT_EQ(m.look().quality, ClockQuality::synchronised);
  EXPECT_TRUE(m.look().agreed);
}

TEST(Timekeeper, SuspendCountsBecauseItsReadingsGoOnInIt) {
  Machine m;
  m.crm();
  m.pass(9h);  // the lid was shut
  EXPECT_EQ(m.look().now.wall, m.right());
  EXPECT_TRUE(m.look().agreed);
}

TEST(Timekeeper, WhatWasHeardInThisBootCountsAfterARestartOfTheProgram) {
  Machine m;
  m.crm();
  const ClockState before = m.look();
  Machine again;
  again.keeper.restore(before.source, *before.word);
  again.pass(1h);
  EXPECT_EQ(again.look().quality, ClockQuality::bounded);
  EXPECT_EQ(again.look().now.wall, again.right());
}

// Whatever happens to the machine's clock and to NTP, deletion is right to within what two clocks
// may differ, and without NTP the time is.
RC_GTEST_PROP(TimekeeperProperties, nothing_is_deleted_by_a_wrong_clock, ()) {
  Machine m;
  bool spoofed = false;
  bool heard = false;
  for (int i = 0; i < 60; ++i) {
    const auto off = std::chrono::seconds(*rc::gen::inRange(-200'000'000, 200'000'000));
    switch (*rc::gen::inRange(0, 5)) {
      case 0:
        m.beside = off;
        break;
      case 1:
        m.ntp(off);
        spoofed = true;
        break;
      case 2:
        m.ntp();
        spoofed = false;
        break;
      case 3:
        m.crm(std::chrono::seconds(*rc::gen::inRange(0, 60)));
        heard = true;
        break;
      default:
        m.pass(std::chrono::seconds(*rc::gen::inRange(0, 100'000)));
    }
    const ClockState is = m.look();
    if (is.agreed) {
      RC_ASSERT(heard);
      RC_ASSERT(std::chrono::abs(is.agreed->wall() - m.right()) <= kClocksAgree + 1min);
    }
    if (heard) RC_ASSERT(is.now.wall >= m.right() - kClocksAgree - 1min);
    if (heard && !spoofed) RC_ASSERT(is.now.wall <= m.right() + kClocksAgree + 1min);
    RC_ASSERT(is.now.wall_trusted == (is.quality != ClockQuality::unknown));
  }
}

}  // namespace
}  // namespace welcome
