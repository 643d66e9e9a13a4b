// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/doctor_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/ctl/lines.h"

namespace welcome::ctl {
namespace {

using nlohmann::json;

json finding(const char* light, const char* lamp, const std::string& what,
             const std::string& to_do = {}) {
  return {{"light", light}, {"lamp", lamp}, {"what", what}, {"to_do", to_do}};
}

TEST(DoctorText, HasALineForEachLightAndSaysWhatToDo) {
  EXPECT_EQ(doctor_text({finding("clock", "green", "synchronised, by ntp"),
                         finding("radio", "red", "recovering: there is no adapter hci0",
                                 "is the adapter plugged in, and radio.device its name?"),
                         finding("store", "yellow", "2 MB of data, 400 MB free", "make room"),
                         finding("camera", "off", "no camera is set up")},
                        false),
            "ok     clock       synchronised, by ntp\n"
            "WRONG  radio       recovering: there is no adapter hci0\n"
            "                   -> is the adapter plugged in, and radio.device its name?\n"
            "LOOK   store       2 MB of data, 400 MB free\n"
            "                   -> make room\n"
            "off    camera      no camera is set up\n");
}

TEST(DoctorText, FitsEightyColumns) {
  std::string long_words;
  for (int i = 0; i < 40; ++i) long_words += "certificate ";
  const auto shown =
      lines(doctor_text(json::array({finding("line", "red", long_words, long_words)}), false));
  for (const auto& line : shown) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_GT(shown.size(), 4U);
}

TEST(DoctorText, IsColouredOnATerminalAlone) {
  const json findings = json::array({finding("radio", "red", "gone")});
  EXPECT_EQ(doctor_text(findings, false).find('\033'), std::string::npos);
  EXPECT_NE(doctor_text(findings, true).find("\033[31m"), std::string::npos);
  EXPECT_EQ(
      doctor_text(json::array({finding("radio", "red", "\033]0;title\007")}), false).find('\033'),
      std::string::npos)
      << "what a device answers does nothing to a terminal";
}

TEST(DoctorText, IsWellWhileNoLightIsRed) {
  EXPECT_TRUE(is_well({finding("clock", "green", ""), finding("store", "yellow", "")}));
  EXPECT_FALSE(is_well({finding("clock", "green", ""), finding("store", "red", "")}));
}

TEST(CameraText, HasALineForEachCameraAndItsAdvice) {
  const auto views = nlohmann::json::parse(R"([
    {"camera":"main","sees":"1280 x 720; no face","advice":["stand there\u001b[2J"]},
    {"camera":"door","sees":"no picture: gone","advice":[]}])");
  EXPECT_EQ(camera_text(views),
            "main    1280 x 720; no face\n        -> stand there [2J\ndoor    no picture: gone\n");
}

}  // namespace
}  // namespace welcome::ctl
