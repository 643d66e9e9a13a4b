// SPDX-License-Identifier: Apache-2.0
#include "core/base64.h"

#include <array>
#include <gtest/gtest.h>

namespace welcome {
namespace {

TEST(Base64, IsWrittenAsInTheRfc) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xFB\xFF\xBF", "+/+/"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64(std::string_view(bytes)), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
}

TEST(Base64, EveryByteComesBack) {
  std::string all;
  for (int n = 0; n < 256; ++n) all.push_back(static_cast<char>(n));
  for (std::size_t size = 0; size <= all.size(); ++size) {
    EXPECT_EQ(from_base64(to_base64(all.substr(0, size))), all.substr(0, size));
  }
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zm9v=", "Zh==", "Zm9=",
                           "Zm 9", "Zm-_", "=Zm9", "Zm9vZg=\n"}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
  std::array<std::uint8_t, 3> three{};
  EXPECT_TRUE(from_base64("Zm9v", three));
  EXPECT_EQ(three[0], 'f');
  EXPECT_FALSE(from_base64("Zm8=", three));
}

}  // namespace
}  // namespace welcome
