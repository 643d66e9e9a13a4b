// SPDX-License-Identifier: Apache-2.0
#include "beacon/ad.h"

#include <gtest/gtest.h>

#include "tests/unit/beacon/bytes.h"

namespace welcome::beacon {
namespace {

using testing::from_hex;
using testing::to_hex;

AdContent decode(const char* hex) { return decode_ad(from_hex(hex)); }

TEST(AdWalker, StopsAtAZeroLengthAndAtTheEnd) {
  EXPECT_FALSE(decode("").malformed);
  EXPECT_FALSE(decode("020106000000ff").malformed);
  EXPECT_FALSE(decode("020106").malformed);
}

TEST(AdWalker, ALengthThatRunsPastThePayloadIsMalformedAndKeepsWhatCameBefore) {
  EXPECT_TRUE(decode("0201060303").malformed);
  const AdContent content =
      decode("0201061aff4c000215000102030405060708090a0b0c0d0e0f00010002c51eff");
  EXPECT_TRUE(content.malformed);
  EXPECT_EQ(content.frames.size(), 1U);
}

TEST(Frames, AnIBeaconIsFoundBehindOtherAppleMessages) {
  const AdContent two = decode("1eff4c00100201020215000102030405060708090a0b0c0d0e0f00010002c5");
  ASSERT_EQ(two.frames.size(), 1U);
  const auto& frame = std::get<IBeacon>(two.frames[0]);
  EXPECT_EQ(to_hex(frame.id), "000102030405060708090a0b0c0d0e0f00010002");
  EXPECT_EQ(frame.measured_power, -59);
}

TEST(Frames, OtherAppleMessagesAreNoIBeacon) {
  EXPECT_TRUE(decode("0aff4c001005441cbd08c5").frames.empty());
  EXPECT_TRUE(decode("1aff4c001015000102030405060708090a0b0c0d0e0f00010002c5").frames.empty());
  EXPECT_TRUE(decode("14ff4c000215000102030405060708090a0b0c0d0e").frames.empty());
}

TEST(Frames, AnAltBeaconBelongsToAnyManufacturerAndMayLackItsLastByte) {
  const auto full = decode("1bff1801beac000102030405060708090a0b0c0d0e0f00010002c509");
  ASSERT_EQ(full.frames.size(), 1U);
  EXPECT_EQ(std::get<AltBeacon>(full.frames[0]).manufacturer, 0x0118);
  EXPECT_EQ(std::get<AltBeacon>(full.frames[0]).reserved, 9);
  const auto brief = decode("1aff1801beac000102030405060708090a0b0c0d0e0f00010002c5");
  ASSERT_EQ(brief.frames.size(), 1U);
  EXPECT_FALSE(std::get<AltBeacon>(brief.frames[0]).reserved);
  EXPECT_TRUE(decode("19ff1801beac000102030405060708090a0b0c0d0e0f00010002").frames.empty());
}

TEST(Frames, EddystoneLengthsAreCheckedBecauseOthersUseItsUuid) {
  EXPECT_EQ(decode("0d16aafe30ee0001020304050607").frames.size(), 1U);
  EXPECT_TRUE(decode("0e16aafe30ee000102030405060708").frames.empty());
  EXPECT_TRUE(decode("0c16aafe30ee00010203040506").frames.empty());
  EXPECT_EQ(decode("1516aafe00ee000102030405060708090a0b0c0d0e0f").frames.size(), 1U);
  EXPECT_EQ(decode("1716aafe00ee000102030405060708090a0b0c0d0e0f0000").frames.size(), 1U);
  EXPECT_TRUE(decode("1616aafe00ee000102030405060708090a0b0c0d0e0f00").frames.empty());
  EXPECT_TRUE(decode("0416aafe10").frames.empty());
  EXPECT_TRUE(decode("0816aafe2000112233").frames.empty());
}

TEST(Frames, AUrlIsExpandedAndReservedBytesRefuseIt) {
  const auto url = decode("0b16aafe10ee036162630878");
  ASSERT_EQ(url.frames.size(), 1U);
  EXPECT_EQ(std::get<EddystoneUrl>(url.frames[0]).url, "https://abc.orgx");
  EXPECT_TRUE(decode("0b16aafe10ee036162631f78").frames.empty());
  EXPECT_TRUE(decode("0b16aafe10ee046162630878").frames.empty());
}

TEST(Frames, FindHubIsNotTakenForEddystone) {
  const auto content = decode("1916aafe41000102030405060708090a0b0c0d0e0f101112131415");
  ASSERT_EQ(content.frames.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<FindHub>(content.frames[0]));
}

}  // namespace
}  // namespace welcome::beacon
