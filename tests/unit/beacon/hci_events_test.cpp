// SPDX-License-Identifier: Apache-2.0
#include "beacon/hci_events.h"

#include <algorithm>
#include <cstdio>
#include <gtest/gtest.h>

#include "tests/unit/beacon/bytes.h"

namespace welcome::beacon {
namespace {

using testing::from_hex;
using testing::to_hex;

struct Parsed {
  std::vector<AdvertReport> reports;
  HciReportCounters counters;
};

Parsed parse(const std::string& hex) {
  Parsed out;
  parse_advertising_event(from_hex(hex), MonoTime{}, out.reports, out.counters);
  return out;
}

const std::string kLegacyA = "0001060504030201030201 06c5";  // connectable, random, 3 bytes, -59
const std::string kLegacyB = "030116151413121100b0";         // no data, -80

std::string event(unsigned subevent, unsigned count, std::string body) {
  std::erase(body, ' ');
  char head[16];
  std::snprintf(head, sizeof head, "3e%02x%02x%02x", static_cast<unsigned>(body.size() / 2 + 2),
                subevent, count);
  return head + body;
}

TEST(HciEvents, ALegacyReportIsRead) {
  const Parsed p = parse(event(2, 1, kLegacyA));
  ASSERT_EQ(p.reports.size(), 1U);
  EXPECT_EQ(to_hex(p.reports[0].address), "010203040506");
  EXPECT_EQ(p.reports[0].address_type, AddressType::random_device);
  EXPECT_EQ(p.reports[0].rssi_dbm, -59);
  EXPECT_EQ(to_hex(p.reports[0].ad.view()), "020106");
  EXPECT_EQ(p.counters.malformed(), 0U);
}

TEST(HciEvents, SeveralReportsOfOneEventLieOneAfterTheOther) {
  const Parsed p = parse(event(2, 2, kLegacyA + kLegacyB));
  ASSERT_EQ(p.reports.size(), 2U);
  EXPECT_EQ(to_hex(p.reports[1].address), "111213141516");
  EXPECT_EQ(p.reports[1].rssi_dbm, -80);
  EXPECT_EQ(p.reports[1].ad.size(), 0U);
}

TEST(HciEvents, AnExtendedReportIsRead) {
  const Parsed p =
      parse(event(0x0D, 1, "1300 01 060504030201 01 00 07 f4 bc 0000 00 000000000000 03 020106"));
  ASSERT_EQ(p.reports.size(), 1U);
  const AdvertReport& r = p.reports[0];
  EXPECT_TRUE(r.extended);
  EXPECT_EQ(r.event_type, 0x13);
  EXPECT_EQ(r.set_id, 7);
  EXPECT_EQ(r.tx_power_dbm, -12);
  EXPECT_EQ(r.rssi_dbm, -68);
  EXPECT_EQ(to_hex(r.ad.view()), "020106");
}

TEST(HciEvents, ACutOffEventKeepsItsWholeReportsAndIsCountedByReason) {
  const std::string whole = event(2, 2, kLegacyA + kLegacyB);
  const Parsed cut = parse(whole.substr(0, whole.size() - 4));
  EXPECT_EQ(cut.reports.size(), 1U);
  EXPECT_EQ(cut.counters.truncated_event, 1U);
  EXPECT_EQ(cut.counters.short_report, 1U);

  EXPECT_EQ(parse(event(2, 3, kLegacyA)).counters.short_report, 1U);
  EXPECT_EQ(parse(event(2, 0, "")).counters.no_reports, 1U);
  EXPECT_EQ(parse(event(2, 1, kLegacyA + "ff")).counters.trailing_bytes, 1U);
}

TEST(AdBytes, KeepsShortAndLongPayloadsThroughCopiesAndMoves) {
  for (const std::size_t size : {0U, 5U, 62U, 63U, 1650U}) {
    const std::vector<std::uint8_t> bytes(size, 7);
    AdBytes one(bytes);
    AdBytes copy = one;
    AdBytes moved = std::move(one);
    EXPECT_TRUE(std::ranges::equal(copy.view(), bytes));
    EXPECT_TRUE(std::ranges::equal(moved.view(), bytes));
    copy.append(bytes);
    EXPECT_EQ(copy.size(), 2 * size);
    copy = moved;
    moved = std::move(copy);
    EXPECT_TRUE(std::ranges::equal(moved.view(), bytes));
    EXPECT_EQ(copy.size(), 0U);  // NOLINT(bugprone-use-after-move): empty is promised
  }
}

TEST(HciEvents, OtherEventsAreNoneOfItsBusiness) {
  EXPECT_EQ(parse("0e0401010c00").counters.events, 0U);
  EXPECT_EQ(parse("3e03010000").counters.events, 0U);
  EXPECT_EQ(parse("").counters.events, 0U);
}

}  // namespace
}  // namespace welcome::beacon
