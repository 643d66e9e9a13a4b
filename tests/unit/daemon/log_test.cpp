// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/log.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <regex>
#include <set>
#include <string>

namespace welcome::daemon {
namespace {

TEST(NotableMessages, HaveAnIdOfTheirOwnThatTheGuideNames) {
  std::ifstream in(WELCOME_SOURCE_DIR "/docs/technician.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  std::set<std::string_view> ids;
  for (std::size_t i = 0; i < kNotable.size(); ++i) {
    const auto& word = kNotable[i];
    EXPECT_EQ(static_cast<std::size_t>(word.what), i) << "one row for each, in their order";
    EXPECT_TRUE(std::regex_match(std::string(word.message_id), std::regex("[0-9a-f]{32}")));
    EXPECT_TRUE(ids.insert(word.message_id).second) << word.message_id;
    EXPECT_THAT(page, testing::HasSubstr("| `" + std::string(word.message_id) + "` | " +
                                         std::string(word_of(kLogLevels, word.level)) + " | " +
                                         std::string(word.meaning) + " |"));
  }
}

}  // namespace
}  // namespace welcome::daemon
