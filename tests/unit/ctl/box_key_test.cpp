// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/box_key.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <unistd.h>

#include "core/hex.h"
#include "firmware/control/box_keys.h"

namespace welcome::ctl {
namespace {

namespace fs = std::filesystem;

using control::box_keys_in;

class BoxKeyFile : public ::testing::Test {
 protected:
  BoxKeyFile() {
    dir_ = fs::temp_directory_path() / ("welcome-box-key-" + std::to_string(::getpid()));
    fs::create_directory(dir_);
  }
  ~BoxKeyFile() override { fs::remove_all(dir_); }
  std::string file() const { return (dir_ / "welcomed.box-key").string(); }
  void write(const std::string& text) { std::ofstream(file(), std::ios::binary) << text; }
  std::string read() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const std::string kKey = std::string(62, 'a') + "01";
  fs::path dir_;
};

TEST_F(BoxKeyFile, IsChangedInTwoStepsAndHasTheOldKeyUntilTheSecond) {
  write(kKey + "\n");
  ASSERT_TRUE(begin_key_change(file()));
  const auto both = box_keys_in(read());
  ASSERT_TRUE(both);
  EXPECT_EQ(to_hex(both->key), kKey);
  ASSERT_TRUE(both->next);
  const std::string next = to_hex(*both->next);
  EXPECT_EQ(next.size(), 64U);
  EXPECT_NE(next, kKey);
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_FALSE(begin_key_change(file())) << "a third key would leave the box without one of them";
  EXPECT_EQ(box_keys_in(read())->next, both->next);
  ASSERT_TRUE(end_key_change(file()));
  EXPECT_EQ(read(), next + "\n");
  EXPECT_FALSE(end_key_change(file()));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), {}), 1) << "no copy is left";
}

TEST_F(BoxKeyFile, TakesTheKeyAsPeopleKeepIt) {
  write(std::string(31, 'x') + "\n");  // 32 raw bytes, the last of which looks like a line's end
  ASSERT_TRUE(begin_key_change(file()));
  EXPECT_EQ(to_hex(box_keys_in(read())->key).substr(0, 4), "7878");
  for (const char* bad : {"", "abc", "\n\n"}) {
    write(bad);
    EXPECT_FALSE(begin_key_change(file())) << bad;
    EXPECT_EQ(read(), bad);
  }
  EXPECT_FALSE(box_keys_in(kKey + "\n" + kKey.substr(1)));
  EXPECT_FALSE(begin_key_change((dir_ / "none").string()));
}

}  // namespace
}  // namespace welcome::ctl
