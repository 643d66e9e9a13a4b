// SPDX-License-Identifier: Apache-2.0
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

// The vectors of docs/ble.md; they were computed with another AES.
TEST(KeySchedule, TheRotatingUuidIsThatOfItsVectors) {
  struct Vector {
    unsigned exponent;
    std::uint32_t clock;
    const char* uuid;
  };
  const auto key = array_from_hex<16>("000102030405060708090a0b0c0d0e0f");
  for (const Vector& v :
       std::initializer_list<Vector>{{0, 0U, "891c1762b7428526ae134986f4e9c3c3"},
                                     {0, 1U, "28f737a1eb7387d8bd9168f52e22f19c"},
                                     {7, 0U, "515f3e1934a6805ba830372bfdd9aecc"},
                                     {7, 127U, "515f3e1934a6805ba830372bfdd9aecc"},
                                     {7, 128U, "7eb3ea685b9587c485671236e4fc6887"},
                                     {7, 65535U, "8e922b166e4c877b8b4ae758d65453fb"},
                                     {7, 65536U, "465ff31c84ce85dd9397be6083667bcf"},
                                     {7, 123456U, "c0e4cc8c84b38ca2ac4b038712075553"},
                                     {10, 1000000U, "ea0e118d097e8c21a2dbfef17714b0ce"},
                                     {15, 4294967295U, "d7cfd8d5a03a8bab97043a73f6e72f44"}}) {
    EXPECT_EQ(to_hex(rotating_uuid(key, v.exponent, v.clock)), v.uuid) << v.clock;
  }
}

// Core Specification, Vol 3, Part H, Appendix D.7.
TEST(KeySchedule, AResolvableAddressIsThatOfTheCoreSpecification) {
  const Aes128 irk(array_from_hex<16>("ec0234a357c8ad05341010a60a397d9b"));
  EXPECT_TRUE(resolves(irk, array_from_hex<6>("7081940dfbaa")));
  EXPECT_FALSE(resolves(irk, array_from_hex<6>("7081940dfbab")));
}

}  // namespace
}  // namespace welcome::beacon
