// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/capture_file.h"

#include <csignal>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/resource.h>
#include <unistd.h>

namespace welcome::ctl {
namespace {

class CaptureFileTest : public testing::Test {
 protected:
  CaptureFileTest()
      : file_(std::filesystem::path(testing::TempDir()) /
              ("capture-" + std::to_string(::getpid()) + ".btsnoop")) {
    std::filesystem::remove(file_);
  }
  ~CaptureFileTest() override { std::filesystem::remove(file_); }

  std::string written() const {
    std::ifstream in(file_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path file_;
};

TEST_F(CaptureFileTest, IsForItsOwnerAloneAndNeverWrittenOver) {
  {
    auto file = CaptureFile::create(file_);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("abc"));
    ASSERT_TRUE(file->write("def"));
  }
  EXPECT_EQ(written(), "abcdef");
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(file_).permissions(), perms::owner_read | perms::owner_write);
  const auto again = CaptureFile::create(file_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::refused);
  EXPECT_EQ(written(), "abcdef");
}

TEST_F(CaptureFileTest, AFullDiskIsSaid) {
  auto file = CaptureFile::create("/dev/full");
  ASSERT_TRUE(file);
  const auto result = file->write("abc");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::full);
}

// The limit of a file's size stops a write half way, as a full disk does.
TEST_F(CaptureFileTest, WhatDidNotFitWholeIsCutOff) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{10, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  auto file = CaptureFile::create(file_);
  const bool first = file && file->write("abcdef").has_value();
  const auto second = file->write("ghijklm");
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(first);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::full);
  EXPECT_EQ(written(), "abcdef");
}

TEST_F(CaptureFileTest, WhereNothingCanBeMadeItSaysWhy) {
  const auto file = CaptureFile::create("/nowhere/at/all.btsnoop");
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message.find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace welcome::ctl
