// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/cameras.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>

#include "firmware/daemon/parts.h"
#include "vision/recogniser.h"

namespace welcome::daemon {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class StillClock : public Clock {
 public:
  ClockState state() const override { return {}; }
  std::chrono::steady_clock::duration until(MonoTime /*mono*/) const override { return {}; }
};

// What is logged while it lives.
class Journal {
 public:
  Journal() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
  }
  ~Journal() { spdlog::set_default_logger(before_); }
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream in(text_.str());
    for (std::string line; std::getline(in, line);) all.push_back(std::move(line));
    return all;
  }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream text_;
};

class CamerasTest : public testing::Test {
 protected:
  CamerasTest() : dir_(fs::path(testing::TempDir()) / ("cameras-" + std::to_string(::getpid()))) {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    const char* set = std::getenv("WELCOME_MODELS");
    config_.models_dir = set != nullptr ? set : WELCOME_SOURCE_DIR "/build/models";
    CameraConfig camera;
    camera.name = "desk";
    camera.source = CameraSource::v4l2;
    camera.path = (dir_ / "video0").string();
    config_.cameras = {camera};
  }
  ~CamerasTest() override { fs::remove_all(dir_); }

  const fs::path dir_;
  const StillClock clock_;
  Config config_;
};

TEST_F(CamerasTest, SayWhyOneIsGoneOnceForEachReasonHoweverOftenItIsTriedAgain) {
  if (!fs::exists(config_.models_dir / "models.json")) {
    GTEST_SKIP() << "models (vision/models/prepare)";
  }
  const Journal journal;
  const auto pack = load_models(config_);
  Cameras cameras(config_, pack, clock_, [](const vision::FaceMatch&, Zone) {});
  const auto desk = [&] { return cameras.status().at("desk"); };
  const auto fails_again = [&] {
    const auto tries = desk().at("failures").get<int>();
    for (int i = 0; i < 5000 && desk().at("failures").get<int>() < tries + 2; ++i) {
      cameras.watch();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_GE(desk().at("failures").get<int>(), tries + 2);
  };

  cameras.watch();  // asleep, but it can be seen that it is not there
  EXPECT_EQ(desk().at("health"), "gone");
  EXPECT_EQ(desk().at("why"), "there is no such device");
  cameras.look_for(vision::Gallery::Builder(vision::model_of(pack), {}).build(1));
  fails_again();
  ASSERT_EQ(journal.lines().size(), 1U) << testing::PrintToString(journal.lines());
  EXPECT_THAT(journal.lines()[0], HasSubstr("camera desk is gone: there is no such device"));

  std::ofstream(config_.cameras[0].path) << "no camera";
  fails_again();
  EXPECT_EQ(desk().at("why"), "this device gives no pictures");
  ASSERT_EQ(journal.lines().size(), 2U) << testing::PrintToString(journal.lines());
  EXPECT_THAT(journal.lines()[1], HasSubstr("camera desk is gone: this device gives no pictures"));
}

}  // namespace
}  // namespace welcome::daemon
