// SPDX-License-Identifier: Apache-2.0
#include "core/hex.h"

#include <array>
#include <gtest/gtest.h>

namespace welcome {
namespace {

TEST(Hex, every_byte_survives_the_way_there_and_back) {
  std::array<std::uint8_t, 256> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  const std::string text = to_hex(all);
  EXPECT_EQ(text.substr(0, 6), "000102");
  EXPECT_EQ(text.substr(2 * 0x9a, 2), "9a");
  EXPECT_EQ(text.substr(2 * 255), "ff");
  std::array<std::uint8_t, 256> back{};
  ASSERT_TRUE(from_hex(text, back));
  EXPECT_EQ(back, all);
}

TEST(Hex, what_is_no_hexadecimal_or_too_long_or_short_is_refused) {
  std::array<std::uint8_t, 2> two{};
  EXPECT_TRUE(from_hex("aBcD", two));
  EXPECT_EQ(to_hex(two), "abcd");
  for (const char* bad : {"", "ab", "abc", "abcdef", "ab:d", "gg00", "0x12"}) {
    EXPECT_FALSE(from_hex(bad, two)) << bad;
  }
  EXPECT_TRUE(from_hex("", {}));
}

}  // namespace
}  // namespace welcome
