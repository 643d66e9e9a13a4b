// SPDX-License-Identifier: Apache-2.0
// Accounts of tablets in a broker's files.

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

#include "provision/broker_files.h"

namespace welcome::provision {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TabletAccounts : public testing::Test {
 protected:
  TabletAccounts() { fs::create_directories(dir_); }
  ~TabletAccounts() override { fs::remove_all(dir_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name) << text;
  }
  std::string text_of(const std::string& name) {
    std::ifstream in(dir_ / name);
    std::stringstream all;
    all << in.rdbuf();
    return all.str();
  }
  Result<void> add(const TabletAccount& tablet) {
    return put_account(dir_.string(), tablet.name, tablet_rules(tablet), "secret");
  }

  const fs::path dir_ = fs::path(testing::TempDir()) / ("tablets-" + std::to_string(::getpid()));
};

const std::string kPasswords = "box-1:$7$101$a$b\n";
const std::string kAcl = "pattern read welcome/v1/floor/prompt/+\nuser box-1\ntopic read a\n";

TEST_F(TabletAccounts, ArePutListedAndTakenBackAndTheRestStays) {
  write("passwords", kPasswords);
  write("acl", kAcl);
  ASSERT_TRUE(add({"tablet-1", "2026-11-30T08:00:00Z"}));
  ASSERT_TRUE(add({"bar", "2026-11-30T09:00:00Z"}));
  ASSERT_TRUE(add({"tablet-1", "2026-11-30T10:00:00Z"})) << "a new password";
  const auto listed = tablets(dir_.string());
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 2U) << "a box is none";
  EXPECT_EQ(listed->at(1).name, "tablet-1");
  EXPECT_EQ(listed->at(1).since, "2026-11-30T10:00:00Z");
  EXPECT_EQ(accounts(dir_.string())->size(), 3U);
  EXPECT_EQ(text_of("passwords").find("secret"), std::string::npos);
  ASSERT_TRUE(remove_account(dir_.string(), "tablet-1"));
  ASSERT_TRUE(remove_account(dir_.string(), "bar"));
  EXPECT_EQ(text_of("passwords"), kPasswords);
  EXPECT_EQ(text_of("acl"), kAcl);
}

TEST_F(TabletAccounts, SaysWhatAFolderOfABrokerHas) {
  const auto listed = tablets(dir_.string());
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, ErrorCode::not_found);
  EXPECT_THAT(listed.error().message, HasSubstr("passwords"));
}

TEST_F(TabletAccounts, OfBoxesHaveTheRulesOfTheTemplate) {
  write("passwords", kPasswords);
  write("acl", kAcl);
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(put_account(dir_.string(), "box-2", box_rules("box-2"), "secret"));
  }
  std::ifstream in(WELCOME_SOURCE_DIR "/packaging/broker/floor-box.acl.in");
  const std::string rules = text_of("acl").substr(kAcl.size());
  std::size_t at = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) continue;
    if (const auto name = line.find("@BOX@"); name != std::string::npos) {
      line.replace(name, 5, "box-2");
    }
    ASSERT_EQ(rules.substr(at, line.size() + 1), line + "\n");
    at += line.size() + 1;
  }
  EXPECT_GT(at, 0U);
  EXPECT_EQ(at, rules.size()) << "twice is once";
  ASSERT_TRUE(remove_account(dir_.string(), "box-2"));
  EXPECT_EQ(text_of("acl"), kAcl);
  EXPECT_EQ(tablets(dir_.string())->size(), 0U);
}

TEST_F(TabletAccounts, HaveNamesThatNoRuleTakesForSomethingElse) {
  for (const char* good : {"tablet-1", "bar.2", "T_3"}) EXPECT_TRUE(valid_account(good)) << good;
  for (const char* bad : {"", "a/b", "a b", "+", "#", "a:b", "a\nuser b", "caf\xC3\xA9"}) {
    EXPECT_FALSE(valid_account(bad)) << bad;
  }
  EXPECT_FALSE(valid_account(std::string(65, 'a')));
}

}  // namespace
}  // namespace welcome::provision
