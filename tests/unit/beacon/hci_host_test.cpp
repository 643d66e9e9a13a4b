#include "beacon/hci_host.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <iterator>
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
  explicit HciHostTest(HciHostConfig config = {})
      : host_(std::move(config), [this](std::span<const std::uint8_t> p) { radio_.take(p); }) {}

  void remake(HciHostConfig config) {
    host_ = HciHost(std::move(config), [this](std::span<const std::uint8_t> p) { radio_.take(p); });
  }
  void start() {
    host_.start(now_at(t_));
    deliver();
  }
  void deliver() {
    while (!radio_.to_host.empty()) {
      const auto packet = radio_.to_host.front();
      radio_.to_host.pop_front();
      host_.receive(packet, now_at(t_), reports_);
    }
  }
  // Runs for that long; the air carries `rate` adverts a second.
  void run(double seconds, double rate = 0) {
    double due = t_;
    for (long step = std::lround(seconds * 10); step > 0; --step) {
      t_ += 0.1;
      for (; rate > 0 && due < t_; due += 1 / rate) {
        radio_.hear(make_advertising_event(fob_advert(fob("x"), -60, now_at(t_))));
      }
      deliver();
      host_.tick(now_at(t_));
      deliver();
    }
  }

  double t_ = 0;
  ControllerEmulator radio_;
  std::vector<AdvertReport> reports_;
  HciHost host_;
};

TEST_F(HciHostTest, ScansPassivelyWithoutTheDuplicateFilterByExtendedCommands) {
  start();
  EXPECT_EQ(host_.state(), HciState::running);
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
  EXPECT_EQ(host_.state(), HciState::running);
  EXPECT_FALSE(host_.extended_scan());
  EXPECT_TRUE(radio_.scanning);
  EXPECT_FALSE(radio_.filters_duplicates);
  EXPECT_TRUE(radio_.advertising);
  EXPECT_EQ(host_.counters().refused, 0U);
}

TEST_F(HciHostTest, AControllerThatRefusesWhatItClaimsIsUsedTheOldWay) {
  radio_.refuse[0x2041] = 0x01;
  start();
  EXPECT_EQ(host_.state(), HciState::running);
  EXPECT_FALSE(host_.extended_scan());
  EXPECT_TRUE(radio_.scanning);
}

TEST_F(HciHostTest, WithoutItsListsOfAbilitiesALegacyControllerIsAssumed) {
  radio_.refuse[0x1002] = 0x01;
  radio_.refuse[0x2003] = 0x01;
  start();
  EXPECT_EQ(host_.state(), HciState::running);
  EXPECT_FALSE(host_.extended_scan());
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
  EXPECT_EQ(host_.state(), HciState::running);
  EXPECT_FALSE(host_.advertising());
  EXPECT_TRUE(radio_.scanning);
  EXPECT_EQ(host_.counters().refused, 1U);
}

TEST_F(HciHostTest, ACommandThatIsNotAnsweredIsFollowedByAReset) {
  radio_.swallow.insert(0x2042);
  start();
  EXPECT_EQ(host_.state(), HciState::setting_up);
  run(1);
  radio_.swallow.clear();
  run(2);
  EXPECT_EQ(host_.state(), HciState::running);
  EXPECT_EQ(host_.counters().command_timeouts, 1U);
  EXPECT_EQ(radio_.resets, 2);
}

TEST_F(HciHostTest, AControllerThatNeverAnswersFailsAfterAFewResets) {
  radio_.silent = true;
  start();
  run(30);
  EXPECT_EQ(host_.state(), HciState::failed);
  EXPECT_FALSE(host_.detail().empty());
}

TEST_F(HciHostTest, ALateAnswerIsCountedAndHarmless) {
  start();
  host_.receive(from_hex("040e0401422000"), now_at(t_), reports_);
  EXPECT_EQ(host_.counters().stray_answers, 1U);
  EXPECT_EQ(host_.state(), HciState::running);
}

TEST_F(HciHostTest, AHardwareErrorIsFollowedByAReset) {
  start();
  radio_.hardware_error();
  deliver();
  EXPECT_EQ(host_.counters().hardware_errors, 1U);
  EXPECT_EQ(host_.state(), HciState::running);
  EXPECT_EQ(radio_.resets, 2);
  EXPECT_TRUE(radio_.scanning);
}

TEST_F(HciHostTest, ADeafReceiverIsNoticedWithinSecondsAndReset) {
  start();
  run(60, 100);
  EXPECT_EQ(host_.counters().stalls, 0U);
  const double deaf_since = t_;
  radio_.scanning = false;  // it says nothing, and hears nothing
  while (radio_.resets < 2 && t_ < deaf_since + 60) run(0.1);
  EXPECT_LT(t_ - deaf_since, 5);
  EXPECT_EQ(host_.counters().stalls, 1U);
  run(20, 100);
  EXPECT_EQ(host_.state(), HciState::running);
  EXPECT_EQ(host_.counters().stalls, 1U);
}

TEST_F(HciHostTest, AnEmptyStoreAtNightIsNoStall) {
  start();
  run(60, 0.2);
  run(3600, 0);
  EXPECT_LE(host_.counters().stalls, 4U);
  EXPECT_EQ(host_.state(), HciState::running);
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
    host_.receive(packet, now_at(t_), reports_);
    deliver();
    reports_.clear();
  }
  host_.start(now_at(t_));
  deliver();
  EXPECT_EQ(host_.state(), HciState::running);
}

}  // namespace
}  // namespace welcome::beacon
