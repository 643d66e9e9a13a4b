// SPDX-License-Identifier: Apache-2.0
// Whatever word a setting allows, the part that it chooses is made: no word is documented that a
// box refuses.
#include "firmware/daemon/parts.h"

#include <cstdlib>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <spdlog/spdlog.h>

#include "firmware/daemon/log.h"
#include "firmware/daemon/radio.h"
#include "firmware/daemon/settings.h"

namespace welcome::daemon {
namespace {

namespace fs = std::filesystem;

class StillClock : public Clock {
 public:
  ClockState state() const override { return {}; }
  std::chrono::steady_clock::duration until(MonoTime /*mono*/) const override { return {}; }
};

// Makes the part; says what is wrong, "" = made, or "skip: …".
using Start = std::function<std::string(const Config&)>;

class EveryWord : public testing::Test {
 protected:
  EveryWord() : dir_(fs::path(testing::TempDir()) / ("words-" + std::to_string(::getpid()))) {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    std::ofstream(dir_ / "welcomed.conf") << "[box]\ntenant = demo\nstore = aroma-1\nid = box-1\n";
    std::ofstream(dir_ / "day.btsnoop");
  }
  ~EveryWord() override { fs::remove_all(dir_); }

  // What a word needs beside it.
  std::vector<std::string> with(const std::string& name, const std::string& word) const {
    if (word == "btsnoop") {
      return {"--radio.file", (dir_ / "day.btsnoop").string(), "--replay.epoch_ms", "1"};
    }
    if (name == "camera.source") {
      return {"--camera.path", word == "rtsp" ? "rtsp://127.0.0.1/live" : "/dev/video0"};
    }
    if (name == "camera.wake") return {"--camera.hours", "07:00-22:30"};
    if (name == "camera.zone" || name == "camera.rotate") {
      return {"--camera.source", "v4l2", "--camera.path", "/dev/video0"};
    }
    return {};
  }

  Config read(const std::string& name, const std::string& word) const {
    std::vector<std::string> words{"welcomed", "-c", (dir_ / "welcomed.conf").string(), "--" + name,
                                   word};
    for (auto& more : with(name, word)) words.push_back(std::move(more));
    std::vector<const char*> argv;
    for (const auto& w : words) argv.push_back(w.c_str());
    return read_config(static_cast<int>(argv.size()), argv.data()).config;
  }

  std::string radio(const Config& c) const {
    const auto made = make_radio(c, clock_, box_eid(c, {}));
    return (made != nullptr) == (c.radio_source != RadioSource::none) ? "" : "not made";
  }
  std::string camera(const Config& c) const {
    if (c.cameras.empty()) return "";  // none
    return make_frame_source(c.cameras.front(), clock_) != nullptr ? "" : "not made";
  }

  const fs::path dir_;
  const StillClock clock_;
};

// The settings whose value is a word, and what makes the part of it.
std::map<std::string, Start> starts(Start radio, Start camera) {
  return {
      {"box.log_level",
       [](const Config& c) {
         const auto before = spdlog::get_level();
         set_log_level(c.log_level);
         const auto name = spdlog::level::to_string_view(spdlog::get_level());
         spdlog::set_level(before);
         return std::string_view(name.data(), name.size()) == word_of(kLogLevels, c.log_level)
                    ? ""
                    : "another level";
       }},
      {"radio.source", std::move(radio)},
      {"zones.box",
       [](const Config& c) {
         const auto tracker = tracker_config(c);
         return tracker.store && tracker.store->zone == *c.zone_of_box ? "" : "stands elsewhere";
       }},
      {"camera.source", std::move(camera)},
      {"camera.zone",
       [](const Config& c) {
         return word_of(kCameraZones, c.cameras.at(0).zone) == to_string(c.cameras.at(0).zone)
                    ? ""
                    : "another zone";
       }},
      {"camera.rotate",
       [](const Config& c) {
         const QuarterTurns turns = c.cameras.at(0).rotate;
         return std::to_string(degrees_of(turns)) == word_of(kRotations, turns)
                    ? ""
                    : "turned otherwise";
       }},
      {"camera.wake",
       [](const Config& c) {
         vision::ModelPack pack;
         return engine_settings(c, pack, {}).camera_wake == c.camera_wake ? "" : "not handed on";
       }},
      {"vision.pack",
       [](Config c) -> std::string {
         const char* set = std::getenv("WELCOME_MODELS");
         c.models_dir = set != nullptr ? set : WELCOME_SOURCE_DIR "/build/models";
         if (!fs::exists(c.models_dir / "models.json")) {
           return "skip: models (vision/models/prepare)";
         }
         const std::string wanted(word_of(kModelPacks, c.model_pack));
         for (const auto& absent : vision::absent_packs(c.models_dir)) {
           if (absent.name == wanted) return "skip: pack " + wanted + " (vision/models/prepare)";
         }
         const std::string name = load_models(c).name;
         const bool any = wanted == vision::kAnyPack && !name.empty();
         return any || name == wanted ? "" : "another pack";
       }},
  };
}

TEST_F(EveryWord, OfEverySettingStartsWhatItChooses) {
  const auto all = starts([this](const Config& c) { return radio(c); },
                          [this](const Config& c) { return camera(c); });
  std::set<std::string> left;
  for (const auto& [name, start] : all) left.insert(name);
  std::string skipped;
  for (const Section& section : config_sections({})) {
    for (const Setting& setting : section.settings) {
      if (setting.words.empty()) continue;
      const std::string name = section.name + "." + setting.key;
      const auto start = all.find(name);
      ASSERT_NE(start, all.end()) << name << ": this test does not know how to start it";
      left.erase(name);
      for (const auto& [word, meaning] : setting.words) {
        SCOPED_TRACE(name + " = " + std::string(word));
        EXPECT_FALSE(meaning.empty());
        std::string wrong;
        try {
          wrong = start->second(read(name, std::string(word)));
        } catch (const std::exception& e) {
          wrong = e.what();
        }
        if (wrong.starts_with("skip: ")) {
          skipped = name + ": " + wrong.substr(6);
        } else {
          EXPECT_EQ(wrong, "");
        }
      }
    }
  }
  EXPECT_THAT(left, testing::IsEmpty()) << "no settings of words any more";
  if (!skipped.empty()) GTEST_SKIP() << skipped;
}

TEST(CrmKeys, AreNotAskedForOnlyWhereThatIsWritten) {
  Config config;
  EXPECT_EQ(read_crm_keys(config), "") << "none is pinned: nothing is believed";
  config.crm_keys = "/nowhere/crm-keys";
  EXPECT_THROW(read_crm_keys(config), std::runtime_error);
  config.consent_unsigned = true;
  EXPECT_EQ(read_crm_keys(config), std::nullopt);
}

}  // namespace
}  // namespace welcome::daemon
