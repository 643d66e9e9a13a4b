// SPDX-License-Identifier: Apache-2.0
#pragma once
// Clips made by the ffmpeg program, as the tests need them.

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

namespace welcome::vision::testing {

// A folder of the test's own, gone with the object.
class ClipFolder {
 public:
  ClipFolder()
      : path_(std::filesystem::path(::testing::TempDir()) /
              ("clips-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(path_);
  }
  ~ClipFolder() { std::filesystem::remove_all(path_); }
  ClipFolder(const ClipFolder&) = delete;
  ClipFolder& operator=(const ClipFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  // `arguments` as for a shell, without the output, which becomes `name`.
  std::filesystem::path make(const std::string& name, const std::string& arguments) const {
    const auto file = path_ / name;
    const std::string command =
        "ffmpeg -hide_banner -loglevel error -nostdin -y " + arguments + " '" + file.string() + "'";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return file;
  }

 private:
  std::filesystem::path path_;
};

inline bool have_ffmpeg() { return std::system("ffmpeg -version >/dev/null 2>&1") == 0; }
#define WELCOME_NEEDS_FFMPEG() \
  if (!welcome::vision::testing::have_ffmpeg()) GTEST_SKIP() << "the ffmpeg program"

}  // namespace welcome::vision::testing
