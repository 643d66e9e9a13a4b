// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "beacon/advert.h"
#include "beacon/hci_transport.h"

namespace welcome::beacon {
namespace {

constexpr Address kDongle{0x00, 0x1A, 0x7D, 0xDA, 0x71, 0x13};

TEST(AddressText, IsReadAsItIsWrittenInEitherCase) {
  EXPECT_EQ(to_text(kDongle), "00:1A:7D:DA:71:13");
  EXPECT_EQ(parse_address("00:1A:7D:DA:71:13"), kDongle);
  EXPECT_EQ(parse_address("00:1a:7d:da:71:13"), kDongle);
}

TEST(AddressText, IsNothingElse) {
  for (const char* text :
       {"", "hci0", "00:1A:7D:DA:71", "00:1A:7D:DA:71:1", "00:1A:7D:DA:71:1G", "00-1A-7D-DA-71-13",
        "00:1A:7D:DA:71:13:", "+0:1A:7D:DA:71:13", " 0:1A:7D:DA:71:13", "001A7DDA711300000"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

TEST(LinuxAdapters, AreNamedByNumberAndAddress) {
  EXPECT_EQ(describe({{0, kDongle}, {2, Address{1, 2, 3, 4, 5, 6}}}),
            "hci0 (00:1A:7D:DA:71:13), hci2 (01:02:03:04:05:06)");
  EXPECT_EQ(describe({}), "none");
}

// On a machine with Bluetooth sockets it says who is there, on others that there are none.
TEST(LinuxAdapters, AnAddressThatIsNotThereIsSaid) {
  const auto opened = open_user_channel(Address{0xFE, 1, 2, 3, 4, 5});
  ASSERT_FALSE(opened);
  const std::string why = opened.error().message;
  EXPECT_TRUE(why.starts_with("there is no adapter FE:01:02:03:04:05; there is ") ||
              why.starts_with("no Bluetooth sockets here"))
      << why;
}

}  // namespace
}  // namespace welcome::beacon
