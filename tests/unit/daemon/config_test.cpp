#include "firmware/daemon/config.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <sstream>

namespace welcome::daemon {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kGood =
    "# A box in a coffee shop.\n"
    "[box]\n"
    "tenant = demo\n"
    "store = aroma-1   # the first one\n"
    "id = box-1\n";

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() : dir_(fs::path(testing::TempDir()) / ("config-" + std::to_string(::getpid()))) {
    fs::remove_all(dir_);
    fs::create_directories(dir_ / "conf.d");
  }
  ~ConfigTest() override { fs::remove_all(dir_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name) << text;
  }

  CommandLine read(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"welcomed", "--config", (dir_ / "welcomed.conf").string()};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<const char*> argv;
    for (const auto& word : words) argv.push_back(word.c_str());
    return read_config(static_cast<int>(argv.size()), argv.data());
  }

  std::string complaint(std::vector<std::string> more = {}) {
    try {
      read(std::move(more));
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "no complaint";
  }

  fs::path dir_;
};

TEST_F(ConfigTest, ReadsSectionsAndFillsInDefaults) {
  write("welcomed.conf", kGood);
  const Config config = read().config;
  EXPECT_EQ(config.tenant, "demo");
  EXPECT_EQ(config.store, "aroma-1");
  EXPECT_EQ(config.state_dir, "/var/lib/welcomed");
  EXPECT_EQ(config.radio_leave_after_s, 20);
  EXPECT_FALSE(config.replaying());
}

TEST_F(ConfigTest, LaterDropInsWinAndTheCommandLineWinsOverAll) {
  write("welcomed.conf", std::string(kGood) + "[camera]\nfps = 10\n[radio]\nleave_after_s = 30\n");
  write("conf.d/10-site.conf", "[camera]\nfps = 12\n[box]\nlog_level = debug\n");
  write("conf.d/20-more.conf", "[camera]\nfps = 14\n");
  const Config config = read({"--box.log_level=error"}).config;
  EXPECT_EQ(config.camera_fps, 14);
  EXPECT_EQ(config.radio_leave_after_s, 30);
  EXPECT_EQ(config.log_level, "error");
}

TEST_F(ConfigTest, UnknownKeyNamesFileAndLine) {
  write("welcomed.conf", std::string(kGood) + "[radio]\nsorce = none\n");
  EXPECT_THAT(complaint(),
              testing::AllOf(HasSubstr("welcomed.conf:7: "), HasSubstr("radio.sorce")));
  write("welcomed.conf", kGood);
  write("conf.d/site.conf", "[box]\n\ncolour = red\n");
  EXPECT_THAT(complaint(), testing::AllOf(HasSubstr("site.conf:3: "), HasSubstr("box.colour")));
}

TEST_F(ConfigTest, BadValuesNameFileLineAndWhatIsAllowed) {
  write("welcomed.conf", std::string(kGood) + "[radio]\nleave_after_s = soon\n");
  EXPECT_THAT(complaint(), HasSubstr("welcomed.conf:7: "));
  write("welcomed.conf", std::string(kGood) + "[radio]\nleave_after_s = 1\n");
  EXPECT_THAT(complaint(), testing::AllOf(HasSubstr(":7: "), HasSubstr("2 … 600")));
  write("welcomed.conf", std::string(kGood) + "[camera]\nsource = webcam\n");
  EXPECT_THAT(complaint(), testing::AllOf(HasSubstr(":7: "), HasSubstr("v4l2")));
  write("welcomed.conf", std::string(kGood) + "[camera\n");
  EXPECT_THAT(complaint(), HasSubstr(":6: section without"));
}

TEST_F(ConfigTest, WhatDoesNotFitTogetherIsRefused) {
  write("welcomed.conf", "[box]\nstore = a\nid = b\n");
  EXPECT_THAT(complaint(), HasSubstr("box.tenant"));
  write("welcomed.conf", std::string(kGood) + "[zones]\ndesk_m = 8\n");
  EXPECT_THAT(complaint(), HasSubstr("desk_m < inside_m"));
  write("welcomed.conf", std::string(kGood) + "[radio]\nsource = btsnoop\n");
  EXPECT_THAT(complaint(), HasSubstr("replay.epoch_ms"));
  EXPECT_THAT(complaint({"--nonsense=1"}), HasSubstr("nonsense"));
}

TEST_F(ConfigTest, MissingFileSaysWhatToDo) {
  EXPECT_THAT(complaint(), testing::AllOf(HasSubstr("cannot be read"), HasSubstr("--config")));
}

TEST_F(ConfigTest, ReferenceListsEveryKeyWithItsDefault) {
  std::ostringstream out;
  print_markdown_reference(out);
  EXPECT_THAT(out.str(), HasSubstr("| `camera.fps` | 15 |"));
  EXPECT_THAT(out.str(), HasSubstr("| `box.tenant` | none |"));
}

TEST(PublishedReference, IsWhatTheProgramSays) {
  std::ostringstream table;
  print_markdown_reference(table);
  std::ifstream in(std::string(WELCOME_SOURCE_DIR) + "/docs/configuration.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(page, HasSubstr(table.str()))
      << "put the output of welcomed --describe-options into docs/configuration.md";
}

}  // namespace
}  // namespace welcome::daemon
