// SPDX-License-Identifier: Apache-2.0
#include "beacon/hci_host.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <iterator>
#include <optional>
#include <rapidcheck.h>
#include <set>

#include "beacon/ad.h"
#include "beacon/hci_events.h"
#include "tests/unit/beacon/adverts.h"
#include "tests/unit/beacon/controller_emulator.h"

namespace welcome::beacon {
namespace {

using namespace testing;

BoxAdverts box_adverts() {
  BoxAdverts adverts;
  adverts.ibeacon = BoxAdverts::IBeaconId{test_key(3), 1, 2, -59};
  adverts.eid = BoxAdverts::RotatingEid{test_key(4), 7, kClockZero, -18};
  return adverts;
}

class HciHostTest : public ::testing::Test {
 protected:
  HciHostTest() { remake({}); }

  void remake(HciHostConfig config, HciMemory before = {}) {
    config_ = std::move(config);
    host_.emplace(
        config_, [this](std::span<const std::uint8_t> p) { radio_.take(p); }, before);
  }
  void start() {
    host_->start(now_at(t_));
    deliver();
  }
  void deliver() {
    while (!radio_.to_host.empty()) {
      const auto packet = radio_.to_host.front();
      radio_.to_host.pop_front();
      host_->receive(packet, now_at(t_), reports_);
    }
  }
  // Runs for that long; the air carries `rate` adverts a second.
  void run(double seconds, double rate = 0) {
    double due = t_;
    for (long step = std::lround(seconds * 10); step > 0; --step) {
      t_ += 0.1;
      for (; rate > 0 && due < t_; due += 1 / rate) {
        radio_.hear(advert());
      }
      deliver();
      host_->tick(now_at(t_));
      deliver();
      if (reopens_ && host_->state() == HciState::failed) {
        remake(config_, host_->memory());
        start();
      }
    }
  }

  // As the controller tells it: in an extended report, where it scans by those commands.
  std::vector<std::uint8_t> advert() const {
    AdvertReport report = fob_advert(fob("x"), -60, now_at(t_));
    if (says_nothing_) report.ad = AdBytes();
    report.extended = radio_.scans_extended;
    report.event_type = report.extended ? 0x10 : 0x03;  // a legacy advert, not connectable
    return make_advertising_event(report);
  }
  // How long until reports come; at most that many seconds.
  double until_heard(double most, double rate) {
    const double since = t_;
    reports_.clear();
    while (reports_.empty() && t_ < since + most) run(0.1, rate);
    return t_ - since;
  }

  double t_ = 0;
  bool says_nothing_ = false;
  bool reopens_ = false;  // a host that failed is followed by another, as the source does
  ControllerEmulator radio_;
  std::vector<AdvertReport> reports_;
  HciHostConfig config_;
  std::optional<HciHost> host_;
};

TEST_F(HciHostTest, ScansPassivelyWithoutTheDuplicateFilterByExtendedCommands) {
  start();
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_TRUE(radio_.scanning);
  EXPECT_TRUE(radio_.scans_extended);
  EXPECT_FALSE(radio_.filters_duplicates);
  EXPECT_EQ(radio_.scan_type, 0);
  run(1, 100);
  EXPECT_NEAR(static_cast<double>(reports_.size()), 100, 2);
}

TEST_F(HciHostTest, AnOldControllerGetsTheLegacyCommands) {
  radio_.extended = false;
  remake({.adverts = box_adverts()});
  start();
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_EQ(host_->way(), ScanWay::legacy);
  EXPECT_TRUE(radio_.scanning);
  EXPECT_FALSE(radio_.filters_duplicates);
  EXPECT_TRUE(radio_.advertising);
  EXPECT_EQ(host_->counters().refused, 0U);
}

TEST_F(HciHostTest, AControllerThatRefusesWhatItClaimsIsUsedTheOldWay) {
  radio_.refuse[0x2041] = 0x01;
  start();
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_EQ(host_->way(), ScanWay::legacy);
  EXPECT_TRUE(radio_.scanning);
}

TEST_F(HciHostTest, WithoutItsListsOfAbilitiesALegacyControllerIsAssumed) {
  radio_.refuse[0x1002] = 0x01;
  radio_.refuse[0x2003] = 0x01;
  start();
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_EQ(host_->way(), ScanWay::legacy);
}

TEST_F(HciHostTest, IBeaconAndBoxEidTakeTurnsAndTheEidRotates) {
  remake({.adverts = box_adverts()});
  start();
  ASSERT_TRUE(radio_.advertising);
  run(300, 20);
  std::set<std::vector<std::uint8_t>> different(radio_.advert_history.begin(),
                                                radio_.advert_history.end());
  std::size_t ibeacons = 0;
  std::set<std::string> eids;
  for (const auto& data : radio_.advert_history) {
    const AdContent content = decode_ad(data);
    ASSERT_EQ(content.frames.size(), 1U);
    if (std::holds_alternative<IBeacon>(content.frames[0])) ++ibeacons;
    if (const auto* eid = std::get_if<EddystoneEid>(&content.frames[0])) {
      eids.insert(to_hex(eid->eid));
    }
  }
  EXPECT_NEAR(static_cast<double>(ibeacons) / static_cast<double>(radio_.advert_history.size()),
              0.5, 0.02);
  EXPECT_GE(eids.size(), 3U);  // windows of 128 s
  EXPECT_LE(eids.size(), 4U);
}

TEST_F(HciHostTest, RefusedAdvertisingDoesNotStopTheScan) {
  remake({.adverts = box_adverts()});
  radio_.refuse[0x2039] = 0x0C;
  start();
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_FALSE(host_->advertising());
  EXPECT_TRUE(radio_.scanning);
  EXPECT_EQ(host_->counters().refused, 1U);
}

TEST_F(HciHostTest, ACommandThatIsNotAnsweredIsFollowedByAReset) {
  radio_.swallow.insert(0x2042);
  start();
  EXPECT_EQ(host_->state(), HciState::setting_up);
  run(1);
  radio_.swallow.clear();
  run(2);
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_EQ(host_->counters().command_timeouts, 1U);
  EXPECT_EQ(radio_.resets, 2);
}

TEST_F(HciHostTest, AControllerThatNeverAnswersFailsAfterAFewResets) {
  radio_.silent = true;
  start();
  run(30);
  EXPECT_EQ(host_->state(), HciState::failed);
  EXPECT_FALSE(host_->detail().empty());
}

TEST_F(HciHostTest, ALateAnswerIsCountedAndHarmless) {
  start();
  host_->receive(from_hex("040e0401422000"), now_at(t_), reports_);
  EXPECT_EQ(host_->counters().stray_answers, 1U);
  EXPECT_EQ(host_->state(), HciState::running);
}

TEST_F(HciHostTest, AHardwareErrorIsFollowedByAReset) {
  start();
  radio_.hardware_error();
  deliver();
  EXPECT_EQ(host_->counters().hardware_errors, 1U);
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_EQ(radio_.resets, 2);
  EXPECT_TRUE(radio_.scanning);
}

TEST_F(HciHostTest, ADeafReceiverIsNoticedWithinSecondsAndReset) {
  start();
  run(60, 100);
  EXPECT_EQ(host_->counters().stalls, 0U);
  const double deaf_since = t_;
  radio_.scanning = false;  // it says nothing, and hears nothing
  while (radio_.resets < 2 && t_ < deaf_since + 60) run(0.1);
  EXPECT_LT(t_ - deaf_since, 5);
  EXPECT_EQ(host_->counters().stalls, 1U);
  run(20, 100);
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_EQ(host_->counters().stalls, 1U);
}

TEST_F(HciHostTest, AnEmptyStoreAtNightIsNoStall) {
  start();
  run(60, 0.2);
  run(3600, 0);
  EXPECT_LE(host_->counters().stalls, 4U);
  EXPECT_EQ(host_->state(), HciState::running);
}

TEST_F(HciHostTest, AControllerThatTakesNoMoreCommandsIsReset) {
  radio_.takes_no_more = true;
  start();
  EXPECT_EQ(host_->state(), HciState::setting_up);
  radio_.takes_no_more = false;
  run(3);
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_EQ(host_->counters().command_timeouts, 1U);
}

TEST_F(HciHostTest, AControllerThatHangsInASilentAirIsNoticedWithinSeconds) {
  start();
  run(60);
  radio_.silent = true;
  const double hung_since = t_;
  while (host_->counters().command_timeouts == 0 && t_ < hung_since + 60) run(0.1);
  EXPECT_LT(t_ - hung_since, 8);
  radio_.silent = false;
  run(5);
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_TRUE(radio_.scanning);
}

TEST_F(HciHostTest, AReceiverThatWentDeafInAnEmptyNightHearsTheMorning) {
  reopens_ = true;
  start();
  run(60, 50);
  run(4 * 3600, 0.01);      // the street is empty
  radio_.scanning = false;  // and then it hears nothing
  run(3600, 0.01);
  EXPECT_TRUE(radio_.scanning);
  EXPECT_GT(host_->counters().long_silences, 0U);
  reports_.clear();
  run(10, 50);
  EXPECT_GT(reports_.size(), 400U);
}

TEST_F(HciHostTest, ADeafReceiverIsCalledDeafUntilSomethingIsHeard) {
  start();
  run(60, 100);
  EXPECT_FALSE(host_->deaf());
  radio_.deaf = true;
  run(6, 100);
  EXPECT_TRUE(host_->deaf());
  EXPECT_EQ(host_->detail(), "nothing was heard where adverts were expected");
  radio_.deaf = false;
  run(1, 100);
  EXPECT_FALSE(host_->deaf());
}

TEST_F(HciHostTest, WhatTheHostBeforeExpectedIsExpected) {
  host_ = HciHost(
      {}, [this](std::span<const std::uint8_t> p) { radio_.take(p); },
      HciMemory{.expected_per_second = 100.0});
  radio_.deaf = true;
  start();
  run(5);
  EXPECT_EQ(host_->counters().stalls, 1U);
}

TEST_F(HciHostTest, AnExtendedScanThatHearsNothingIsLeftForTheLegacyOne) {
  radio_.deaf_extended = true;
  start();
  EXPECT_TRUE(radio_.scans_extended);
  EXPECT_LT(until_heard(60, 20), 12);
  EXPECT_EQ(host_->way(), ScanWay::legacy);
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_FALSE(host_->deaf());
  reports_.clear();
  run(1800, 20);
  EXPECT_GE(reports_.size(), 20U * 1790) << "and it stays there";
  EXPECT_EQ(radio_.resets, 2);
}

TEST_F(HciHostTest, InAThinAirTheExtendedScanHasOneMoreTry) {
  radio_.deaf_extended = true;
  start();
  run(3600, 0.5);
  EXPECT_EQ(host_->way(), ScanWay::legacy);
  EXPECT_LE(radio_.resets, 5);
  reports_.clear();
  run(600, 0.5);
  EXPECT_GE(reports_.size(), 290U);
}

TEST_F(HciHostTest, WhatIsTriedIsSaid) {
  radio_.deaf_extended = radio_.deaf_legacy = true;
  start();
  EXPECT_EQ(host_->remark(), "");
  run(11);
  EXPECT_EQ(host_->remark(), "nothing was heard for 10 s; trying the legacy scan");
  EXPECT_EQ(host_->state(), HciState::running) << "an air may be silent";
  run(21);
  EXPECT_EQ(host_->remark(), "nothing was heard for 20 s; trying the extended scan");
  run(4 * 3600);
  EXPECT_LE(radio_.resets, 40) << "and ever less often";
  EXPECT_EQ(host_->state(), HciState::running);
}

TEST_F(HciHostTest, AWayThatHadHeardIsLeftOnlyWhenAResetDoesNotHelp) {
  start();
  run(60, 100);
  radio_.deaf_extended = true;
  run(30, 100);
  EXPECT_EQ(host_->way(), ScanWay::legacy);
  EXPECT_EQ(host_->counters().stalls, 2U);
  reports_.clear();
  run(600, 100);
  EXPECT_GE(reports_.size(), 59000U);
}

TEST_F(HciHostTest, AfterASilentNightTheBestWayIsBack) {
  start();
  run(4 * 3600);
  run(20, 50);
  run(20, 50);
  EXPECT_EQ(host_->way(), ScanWay::extended);
  EXPECT_EQ(host_->remark(), "");
}

TEST_F(HciHostTest, ACodedScanThatHearsNothingIsLeftForTheOther) {
  HciHostConfig config;
  config.coded_phy = true;
  remake(config);
  radio_.deaf = true;
  start();
  EXPECT_EQ(host_->way(), ScanWay::extended_coded);
  run(11);
  EXPECT_EQ(host_->way(), ScanWay::extended);
  radio_.deaf = false;
  run(60, 50);
  EXPECT_EQ(host_->way(), ScanWay::extended) << "heard at once, where the coded one was silent";
}

TEST_F(HciHostTest, AControllerThatTalksAndSaysNothingIsDeaf) {
  reopens_ = true;
  says_nothing_ = true;
  start();
  run(5, 50);
  EXPECT_TRUE(host_->deaf());
  EXPECT_EQ(host_->detail(), "the controller reports adverts without data");
  EXPECT_GT(radio_.legacy_scans, 0) << "the other way is tried";
  int running = 0;
  for (int i = 0; i < 600; ++i) {
    run(0.1, 50);
    if (host_->state() == HciState::running && !host_->deaf()) ++running;
  }
  EXPECT_EQ(running, 0) << "also in the hosts after it";
  says_nothing_ = false;
  run(15, 50);
  EXPECT_FALSE(host_->deaf());
  EXPECT_EQ(host_->state(), HciState::running);
}

TEST_F(HciHostTest, EventsWithoutAReportSayNothingEither) {
  reopens_ = true;
  start();
  for (int i = 0; i < 500; ++i) {
    host_->receive(from_hex("043e020200"), now_at(t_), reports_);
    run(0.02);
    t_ += 0.02;
  }
  for (int i = 0; i < 50; ++i) {
    host_->receive(from_hex("043e020200"), now_at(t_), reports_);
    run(0.1);
  }
  EXPECT_TRUE(host_->deaf());
}

TEST_F(HciHostTest, AFewAdvertsWithoutDataAmongOthersAreNoTrouble) {
  start();
  for (int i = 0; i < 600; ++i) {
    says_nothing_ = i % 10 != 0;
    run(0.1, 50);
  }
  EXPECT_EQ(host_->counters().stalls, 0U);
  EXPECT_GT(host_->intake().counters().empty, 2000U);
}

TEST_F(HciHostTest, AnLeEventMaskThatIsRefusedIsNotTheEnd) {
  radio_.knows_extended_mask = false;
  remake({.adverts = box_adverts()});
  start();
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_EQ(host_->way(), ScanWay::legacy) << "extended reports would not come";
  EXPECT_TRUE(radio_.advertising);
  run(60, 20);
  EXPECT_GE(reports_.size(), 1190U);
  EXPECT_EQ(radio_.resets, 1);
  EXPECT_EQ(host_->counters().refused, 1U);
}

TEST_F(HciHostTest, ARefusedEventMaskIsNotTheEnd) {
  for (const int opcode : {0x0C01, 0x2001}) {
    radio_ = ControllerEmulator();
    radio_.refuse[static_cast<std::uint16_t>(opcode)] = 0x12;
    remake({});
    start();
    reports_.clear();
    run(10, 20);
    EXPECT_EQ(host_->state(), HciState::running) << opcode;
    EXPECT_EQ(radio_.resets, 1);
    EXPECT_GE(reports_.size(), 199U);
  }
}

TEST_F(HciHostTest, AScanThatIsRefusedInEveryWayFailsAtOnce) {
  radio_.refuse[0x2041] = radio_.refuse[0x200B] = 0x0C;
  start();
  EXPECT_EQ(host_->state(), HciState::failed);
  EXPECT_LE(radio_.resets, 2) << "and is tried again by who opens it again, with a pause";
}

TEST_F(HciHostTest, BeginningsAloneAreNoticedAndTheirWholeStructuresCount) {
  radio_.beginnings_alone = true;
  start();
  run(5, 50);
  ASSERT_GE(reports_.size(), 200U) << "each shows that the one before is over";
  const AdContent content = decode_ad(reports_.back().ad.view());
  EXPECT_EQ(content.frames.size(), 1U);
  EXPECT_FALSE(content.malformed);
  EXPECT_FALSE(host_->deaf());
  run(20, 50);
  EXPECT_EQ(host_->way(), ScanWay::legacy) << "which tells whole adverts";
  EXPECT_EQ(host_->counters().stalls, 1U);
  EXPECT_GT(host_->intake().assembler().abandoned, 200U);
  run(600, 50);
  EXPECT_EQ(radio_.resets, 2);
}

TEST_F(HciHostTest, BeginningsAloneAreSaidWhereNothingElseIsHeard) {
  radio_.beginnings_alone = radio_.deaf_legacy = true;
  start();
  run(600, 50);
  EXPECT_EQ(host_->way(), ScanWay::extended);
  EXPECT_EQ(host_->remark(), "of each advert only the beginning is reported");
  EXPECT_LE(radio_.resets, 4);
}

TEST_F(HciHostTest, BeginningsWithoutAWholeStructureSayNothing) {
  AdvertReport cut = fob_advert(fob("x"), -60, now_at(0));
  cut.ad = AdBytes(from_hex("1aff4c000215"));
  cut.extended = true;
  cut.event_type = kDataMoreToCome << 5U;
  start();
  for (int i = 0; i < 200 && !host_->deaf(); ++i) {
    for (int n = 0; n < 3; ++n) {
      cut.address[5] = static_cast<std::uint8_t>(n);
      radio_.hear(make_advertising_event(cut));
    }
    run(0.1);
  }
  EXPECT_TRUE(host_->deaf());
  EXPECT_EQ(host_->way(), ScanWay::legacy);
  EXPECT_EQ(host_->detail(), "the controller reports parts of adverts, and none is whole");
  run(5, 50);
  EXPECT_FALSE(host_->deaf());
}

TEST_F(HciHostTest, AnAnswerThatMayBeLostIsAskedForAgain) {
  radio_.swallow.insert(0x2042);
  start();
  radio_.swallow.clear();
  host_->bytes_lost(now_at(t_));
  run(0.4);
  EXPECT_EQ(host_->state(), HciState::running);
  EXPECT_EQ(host_->counters().repeated, 1U);
  EXPECT_EQ(host_->counters().command_timeouts, 0U);
  EXPECT_EQ(radio_.resets, 1);
}

TEST_F(HciHostTest, IntervalsWindowPowerAndAddressAreAsConfigured) {
  HciHostConfig config{.adverts = box_adverts(),
                       .scan_interval = std::chrono::milliseconds{100},
                       .scan_window = std::chrono::milliseconds{50}};
  config.adverts.interval = std::chrono::milliseconds{250};
  config.adverts.tx_power_dbm = std::int8_t{-12};
  remake(config);
  start();
  // Own address public, no filter, 1M; passive, interval 160, window 80 (× 0.625 ms).
  EXPECT_EQ(to_hex(radio_.scan_parameters),
            "000001"
            "00a0005000");
  // Set 0, legacy non-connectable, interval 400 twice, …, power −12.
  EXPECT_EQ(to_hex(radio_.advert_parameters).substr(0, 18), "001000900100900100");
  EXPECT_EQ(radio_.advert_parameters.at(19), 0xF4);

  radio_.extended = false;
  remake(config);
  start();
  EXPECT_EQ(to_hex(radio_.scan_parameters), "00a00050000000");
  EXPECT_EQ(to_hex(radio_.advert_parameters).substr(0, 10), "9001900103");
}

TEST_F(HciHostTest, TheCodedPhyIsListenedToWhereTheControllerCan) {
  HciHostConfig coded;
  coded.coded_phy = true;
  remake(coded);
  start();
  EXPECT_EQ(to_hex(radio_.scan_parameters),
            "000005"
            "0060003000"
            "0060003000");
  radio_.extended = false;
  remake(coded);
  start();
  EXPECT_EQ(host_->state(), HciState::running);
}

// Whatever it refuses, swallows or answers late, whenever it loses its settings or reports an
// error: once it behaves, it scans again within five seconds, and every advert from then on is
// heard.
TEST_F(HciHostTest, AnyMisbehaviourEndsInHearing) {
  const std::vector<std::uint16_t> opcodes{0x0C01, 0x0C03, 0x1001, 0x1002, 0x2001, 0x2003,
                                           0x2005, 0x2006, 0x2008, 0x200A, 0x200B, 0x200C,
                                           0x2035, 0x2036, 0x2037, 0x2039, 0x2041, 0x2042};
  const bool holds = rc::check("hears again", [&] {
    radio_ = ControllerEmulator();
    reopens_ = true;
    radio_.extended = *rc::gen::arbitrary<bool>();
    HciHostConfig config;
    if (*rc::gen::arbitrary<bool>()) config.adverts = box_adverts();
    remake(config);
    start();
    run(1, 100);
    const int troubles = *rc::gen::inRange(0, 12);
    for (int i = 0; i < troubles; ++i) {
      const auto opcode = *rc::gen::elementOf(opcodes);
      switch (*rc::gen::inRange(0, 9)) {
        case 0:
          radio_.refuse[opcode] = *rc::gen::inRange<std::uint8_t>(1, 0x46);
          break;
        case 1:
          radio_.swallow.insert(opcode);
          break;
        case 2:
          radio_.late.insert(opcode);
          break;
        case 3:
          radio_.answer_late();
          break;
        case 4:
          radio_.hardware_error();
          break;
        case 5:
          radio_.reset_by_itself();
          break;
        case 6:
          radio_.takes_no_more = !radio_.takes_no_more;
          break;
        case 7:
          radio_.silent = !radio_.silent;
          break;
        default:
          radio_.deaf = !radio_.deaf;
          break;
      }
      run(*rc::gen::inRange(0, 50) / 10.0, *rc::gen::element(0, 20, 200));
    }
    radio_.refuse.clear();
    radio_.swallow.clear();
    radio_.late.clear();
    radio_.answer_late();
    radio_.takes_no_more = radio_.silent = radio_.deaf = false;
    // It may have lost its settings in an air without an advert: then silence has to show it.
    radio_.hardware_error();
    run(5, 100);
    RC_ASSERT(host_->state() == HciState::running);
    RC_ASSERT(radio_.scanning);
    RC_ASSERT(!radio_.filters_duplicates);
    RC_ASSERT(radio_.advertising == config.adverts.any());
    RC_ASSERT(!host_->deaf());
    reports_.clear();
    run(1, 100);
    RC_ASSERT(reports_.size() >= 99U);
  });
  EXPECT_TRUE(holds);
}

TEST_F(HciHostTest, NoBytesFromTheControllerBreakIt) {
  start();
  unsigned seed = 1;
  const auto dice = [&] { return (seed = seed * 1664525U + 1013904223U) >> 24U; };
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::uint8_t> packet{0x04};
    const unsigned size = dice() % 40;
    for (unsigned b = 0; b < size; ++b) packet.push_back(static_cast<std::uint8_t>(dice()));
    if (size > 0 && dice() % 2 == 0) {
      const std::array<std::uint8_t, 4> events{0x0E, 0x0F, 0x10, 0x3E};
      packet[1] = events[dice() % 4];
    }
    host_->receive(packet, now_at(t_), reports_);
    deliver();
    reports_.clear();
  }
  host_->start(now_at(t_));
  deliver();
  EXPECT_EQ(host_->state(), HciState::running);
}

}  // namespace
}  // namespace welcome::beacon
