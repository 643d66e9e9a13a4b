// SPDX-License-Identifier: Apache-2.0
#include "crm/base64url.h"

#include <gtest/gtest.h>
#include <string>

namespace welcome::crm {
namespace {

TEST(Base64Url, IsWrittenInOneWay) {
  for (const std::string bytes : {"", "a", "ab", "abc", "\xFB\xFF\xFE"}) {
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
  }
  EXPECT_EQ(to_base64url("\xFB\xFF\xFE"), "-__-");
  for (const char* bad : {"+//+", "YQ==", "Y", "YR", "Y Q", "\xC3\xA4"}) {
    EXPECT_FALSE(from_base64url(bad)) << bad;
  }
}

}  // namespace
}  // namespace welcome::crm
