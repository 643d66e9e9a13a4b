// SPDX-License-Identifier: Apache-2.0
// Fragments, recordings, proofs of presence, and a day in simulated time.

#include <algorithm>
#include <gtest/gtest.h>
#include <malloc.h>
#include <numeric>
#include <random>
#include <sstream>

#include "beacon/assembler.h"
#include "beacon/btsnoop.h"
#include "beacon/capture_writer.h"
#include "beacon/hci_events.h"
#include "beacon/presence_proof.h"
#include "beacon/tracker.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome::beacon {
namespace {

using namespace testing;

AdvertReport extended(std::span<const std::uint8_t> ad, unsigned status, double t,
                      std::uint8_t last_byte = 1) {
  AdvertReport r = report(ad, -60, now_at(t));
  r.address[5] = last_byte;
  r.extended = true;
  r.set_id = 3;
  r.event_type = static_cast<std::uint16_t>(status << 5U);
  return r;
}

TEST(Assembler, PutsFragmentsTogetherHoweverTheyAreSplitAndMixed) {
  std::vector<std::uint8_t> whole(700);
  std::iota(whole.begin(), whole.end(), std::uint8_t{0});
  for (const std::size_t piece : {1U, 50U, 229U, 699U}) {
    AdvertAssembler assembler;
    std::vector<AdvertReport> out;
    for (std::size_t i = 0; i < whole.size(); i += piece) {
      const std::size_t n = std::min(piece, whole.size() - i);
      const unsigned status = i + n < whole.size() ? 1 : 0;
      // Another advertiser's fragments in between.
      std::vector<AdvertReport> batch{
          extended(std::span(whole).subspan(i, n), status, 0.0001 * static_cast<double>(i), 1),
          extended(std::span(whole).subspan(i, n), status, 0.0001 * static_cast<double>(i), 2)};
      assembler.process(batch);
      std::move(batch.begin(), batch.end(), std::back_inserter(out));
    }
    ASSERT_EQ(out.size(), 2U) << piece;
    EXPECT_TRUE(std::ranges::equal(out[0].ad.view(), whole));
    EXPECT_TRUE(std::ranges::equal(out[1].ad.view(), whole));
  }
}

TEST(Assembler, RestsThatNeverComeAreAbandonedAndCounted) {
  AdvertAssembler assembler;
  for (int i = 0; i < 100; ++i) {
    std::vector<AdvertReport> batch{
        extended(from_hex("0201"), 1, i * 0.001, static_cast<std::uint8_t>(i))};
    assembler.process(batch);
    EXPECT_TRUE(batch.empty());
  }
  std::vector<AdvertReport> batch{extended(from_hex("020106"), 0, 10)};
  assembler.process(batch);
  EXPECT_EQ(batch.size(), 1U);
  EXPECT_EQ(assembler.counters().abandoned, 100U);
}

TEST(Assembler, AScanResponseComesWithItsAdvert) {
  AdvertAssembler assembler;
  AdvertReport advert = report(from_hex("020106"), -60, now_at(0));
  AdvertReport response = report(from_hex("03096162"), -61, now_at(0.01));
  response.event_type = 4;
  std::vector<AdvertReport> batch{advert, response};
  assembler.process(batch);
  ASSERT_EQ(batch.size(), 2U);
  EXPECT_EQ(to_hex(batch[1].ad.view()), "02010603096162");
  EXPECT_EQ(assembler.counters().joined_responses, 1U);
}

TEST(Recorder, LeavesStrangersOutUnlessAskedTo) {
  for (const Strangers strangers : {Strangers::left_out, Strangers::recorded}) {
    CaptureWriter writer(strangers);
    const AdvertReport stranger = fob_advert(fob("x"), -70, now_at(1));
    const AdvertReport ours = phone_advert(phone("ann", 1), -60, now_at(2));
    writer.record(stranger, false, now_at(1));
    std::string bytes = writer.take();
    writer.record(ours, true, now_at(2.5));
    bytes += writer.take();
    EXPECT_EQ(writer.waiting(), 0U);
    EXPECT_EQ(writer.known(), 1U);
    EXPECT_EQ(writer.strangers(), 1U);

    auto reader = BtsnoopReader::from(std::make_unique<std::istringstream>(bytes));
    ASSERT_TRUE(reader);
    std::vector<AdvertReport> reports;
    HciReportCounters counters;
    CaptureRecord record;
    std::vector<CaptureTime> times;
    while (reader->next(record)) {
      times.push_back(record.at);
      parse_advertising_event(record.packet, {}, reports, counters);
    }
    ASSERT_EQ(reports.size(), 2U);
    EXPECT_EQ(times[1], CaptureTime{kMorning + std::chrono::seconds{2}});
    EXPECT_EQ(reports[0].rssi_dbm, -70);
    const bool left_out = strangers == Strangers::left_out;
    EXPECT_EQ(reports[0].address == Address{}, left_out);
    EXPECT_EQ(reports[0].ad.size() == 0, left_out);
    EXPECT_TRUE(std::ranges::equal(reports[1].ad.view(), ours.ad.view()));
    EXPECT_EQ(reports[1].address, ours.address);
  }
}

TEST(PresenceProof, OnlyAnEidThatTheBoxSentThenProvesIt) {
  const BoxAdverts::RotatingEid box{test_key(4), 7, kClockZero, -18};
  const auto sent = [&](double t) {
    return eddystone_eid(box.key, box.rotation_exponent, beacon_time(now_at(t)));
  };
  const Now now = now_at(1000);
  EXPECT_TRUE(proves_presence(box, sent(1000), now.wall, now));
  EXPECT_TRUE(proves_presence(box, sent(940), now_at(940).wall, now));
  EXPECT_FALSE(proves_presence(box, sent(500), now.wall, now));            // a replay
  EXPECT_FALSE(proves_presence(box, sent(500), now_at(500).wall, now));    // too late
  EXPECT_FALSE(proves_presence(box, sent(1400), now_at(1400).wall, now));  // not sent yet
  EXPECT_FALSE(proves_presence(box, Eid{}, now.wall, now));
  Now untrusted = now;
  untrusted.wall_trusted = false;
  EXPECT_FALSE(proves_presence(box, sent(1000), now.wall, untrusted));
}

// 24 hours, 30,000 strange addresses, a few customers: nothing grows.
TEST(RadioDay, MemoryStaysFlatOverADayOfStrangers) {
  std::vector<IdentityKey> keys{fob("mia")};
  for (std::uint32_t i = 0; i < 20; ++i) {
    keys.push_back(phone("c" + std::to_string(i), i, 7));
    keys.push_back(phone("c" + std::to_string(i), 100 + i, 0, IdentityKind::irk));
  }
  Tracker tracker;
  tracker.set_identities(keys, now_at(0));
  std::minstd_rand dice(1);
  std::size_t after_an_hour = 0;
  std::size_t most = 0;
  std::size_t heap_after_an_hour = 0;
  std::uint64_t left = 0;
  for (int second = 0; second < 24 * 3600; ++second) {
    const Now now = now_at(second);
    for (const IdentityClaim& claim : tracker.tick(now)) left += claim.fast == Zone::away ? 1 : 0;
    for (int i = 0; i < 4; ++i) {
      AdvertReport r = report(from_hex("0aff4c001005441cbd08c5"), -80, now);
      const std::uint32_t device =
          static_cast<std::uint32_t>(second / 60) * 21U + static_cast<std::uint32_t>(dice()) % 30U;
      r.address = {static_cast<std::uint8_t>(0x40U | (device & 0x3FU)),
                   static_cast<std::uint8_t>(device >> 6U),
                   static_cast<std::uint8_t>(device >> 14U),
                   1,
                   2,
                   3};
      tracker.handle(r, now);
    }
    // A customer for ten minutes of every hour.
    if (second % 3600 < 600) {
      const std::size_t who = static_cast<std::size_t>(second / 3600) % 20;
      tracker.handle(phone_advert(keys[1 + 2 * who], -65, now), now);
    }
    if (second == 3600) {
      after_an_hour = tracker.bytes();
      heap_after_an_hour = mallinfo2().uordblks;
    }
    if (second > 3600) most = std::max(most, tracker.bytes());
  }
  EXPECT_EQ(left, 24U);
  EXPECT_LE(most, after_an_hour + 1024);
  // What it does not count itself; the allocator knows. (0 under a sanitizer.)
  EXPECT_LE(mallinfo2().uordblks, heap_after_an_hour + 64 * 1024);
  EXPECT_GT(tracker.resolver_counters().addresses_tried, 25'000U);
}

// Any order of the same second's adverts gives the same people.
TEST(RadioDay, OrderWithinABatchDoesNotChangeWhoIsThere) {
  const std::vector<IdentityKey> keys{fob("mia"), phone("ann", 1), phone("bob", 2)};
  std::minstd_rand dice(9);
  for (int round = 0; round < 50; ++round) {
    Tracker tracker;
    tracker.set_identities(keys, now_at(0));
    tracker.tick(now_at(0));
    std::vector<AdvertReport> batch;
    for (int i = 0; i < 10; ++i) {
      batch.push_back(fob_advert(keys[0], -60, now_at(1)));
      batch.push_back(phone_advert(keys[1], -60, now_at(1)));
      batch.push_back(phone_advert(keys[2], -60, now_at(1)));
      batch.push_back(phone_advert(phone("eve", 9), -60, now_at(1)));
    }
    std::shuffle(batch.begin(), batch.end(), dice);
    for (const auto& r : batch) tracker.handle(r, now_at(1));
    EXPECT_EQ(tracker.present(), 3U);
    EXPECT_EQ(tracker.counters().identified, 30U);
    EXPECT_EQ(tracker.counters().copied, 0U);
  }
}

}  // namespace
}  // namespace welcome::beacon
