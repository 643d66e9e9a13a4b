#include "beacon/key_schedule.h"

#include <gtest/gtest.h>

#include "tests/unit/beacon/bytes.h"

namespace welcome::beacon {
namespace {

using testing::array_from_hex;
using testing::to_hex;

TEST(KeySchedule, AesIsThatOfFips197) {
  const Aes128 aes(array_from_hex<16>("000102030405060708090a0b0c0d0e0f"));
  EXPECT_EQ(to_hex(aes.encrypt(array_from_hex<16>("00112233445566778899aabbccddeeff"))),
            "69c4e0d86a7b0430d8cdb78070b4c55a");
}

TEST(KeySchedule, TheInstructionsAndLibcryptoAgree) {
  Block block{};
  for (int i = 0; i < 1000; ++i) {
    const Aes128 aes(block);
    const Block next = aes.encrypt(block);
    ASSERT_EQ(next, aes.encrypt_in_libcrypto(block));
    block = next;
  }
}

TEST(KeySchedule, AnEidHoldsForItsWindowAndChangesWithIt) {
  const auto key = array_from_hex<16>("000102030405060708090a0b0c0d0e0f");
  for (unsigned k = 0; k <= kLongestRotationExponent; ++k) {
    const std::uint32_t length = 1U << k;
    const std::uint32_t start = 7U * 65536U + 3U * length;
    EXPECT_EQ(eddystone_eid(key, k, start), eddystone_eid(key, k, start + length - 1)) << k;
    EXPECT_NE(eddystone_eid(key, k, start), eddystone_eid(key, k, start + length)) << k;
  }
}

TEST(KeySchedule, TheRotatingUuidIsACustomUuidUnrelatedToTheEid) {
  const auto key = array_from_hex<16>("000102030405060708090a0b0c0d0e0f");
  const Uuid128 uuid = rotating_uuid(key, 7, 123456);
  EXPECT_EQ(uuid[6] >> 4U, 8);
  EXPECT_EQ(uuid[8] >> 6U, 2);
  const Eid eid = eddystone_eid(key, 7, 123456);
  EXPECT_FALSE(std::equal(eid.begin(), eid.begin() + 6, uuid.begin()));
}

// Core Specification, Vol 3, Part H, Appendix D.7.
TEST(KeySchedule, AResolvableAddressIsThatOfTheCoreSpecification) {
  const Aes128 irk(array_from_hex<16>("ec0234a357c8ad05341010a60a397d9b"));
  EXPECT_TRUE(resolves(irk, array_from_hex<6>("7081940dfbaa")));
  EXPECT_FALSE(resolves(irk, array_from_hex<6>("7081940dfbab")));
}

}  // namespace
}  // namespace welcome::beacon
