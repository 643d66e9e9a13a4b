// SPDX-License-Identifier: Apache-2.0
#include "firmware/control/box_keys.h"

#include <gtest/gtest.h>
#include <string>

#include "core/hex.h"

namespace welcome::control {
namespace {

const std::string kOne = std::string(62, 'a') + "01";
const std::string kTwo = std::string(62, 'b') + "02";

std::string keys(const std::string& text) {
  const auto found = box_keys_in(text);
  if (!found) return "none";
  return to_hex(found->key) + (found->next ? " " + to_hex(*found->next) : "");
}

TEST(BoxKeys, AreOneOrWhileItIsChangedTwo) {
  EXPECT_EQ(keys(kOne), kOne);
  EXPECT_EQ(keys(kOne + "\n" + kTwo), kOne + " " + kTwo);
  EXPECT_EQ(keys(std::string(31, 'x') + "\n").substr(0, 4), "7878") << "32 bytes as they are";
}

TEST(BoxKeys, EndWithAsManyLinesAsAnEditorLeaves) {
  for (const char* end : {"\n", "\n\n", "\n\n\n"}) {
    EXPECT_EQ(keys(kOne + end), kOne);
    EXPECT_EQ(keys(kOne + "\n" + kTwo + end), kOne + " " + kTwo);
  }
}

TEST(BoxKeys, AreNothingElse) {
  for (const std::string& text : {std::string(), std::string("\n\n"), kOne.substr(1), kOne + "x",
                                  kOne + "\n" + kTwo.substr(1), kOne + "\n" + kTwo + "\n" + kOne}) {
    EXPECT_EQ(keys(text), "none") << text;
  }
}

}  // namespace
}  // namespace welcome::control
