// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/camera_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace welcome::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;
using vision::CameraHealth;
using vision::CameraStatus;
using vision::CameraView;

constexpr int kLeast = 45;

// A picture of a room with somebody near.
CameraStatus good() {
  CameraView view;
  view.width = 1280;
  view.height = 720;
  view.brightness = 110;
  view.contrast = 50;
  view.sharpness = 90;
  view.faces = {{30, 13, 100, 80}, {120, 53, 105, 80}};
  view.pictures = 31;
  view.over = std::chrono::seconds(3);
  CameraStatus status;
  status.health = CameraHealth::ok;
  status.view = view;
  return status;
}

nlohmann::json words(const CameraStatus& status) { return camera_words("main", status, kLeast); }

TEST(CameraWords, SayWhatItSees) {
  const auto said = words(good());
  EXPECT_EQ(said["sees"],
            "1280 x 720, 10 pictures a second; light: good; sharp; 2 faces, the largest: 53 pixels "
            "between the eyes (20 are needed)");
  EXPECT_TRUE(said["advice"].empty()) << said;
  EXPECT_EQ(said["view"]["faces"][0]["large_enough"], false);
  EXPECT_EQ(said["view"]["faces"][1]["large_enough"], true);
}

TEST(CameraWords, AdviseWhereItIsNotGood) {
  const auto with = [](auto change) {
    CameraStatus status = good();
    change(*status.view);
    return words(status).dump();
  };
  EXPECT_THAT(with([](CameraView& view) { view.faces.pop_back(); }),
              testing::AllOf(HasSubstr("1 face: 13 pixels between"), HasSubstr("hang it nearer")));
  EXPECT_THAT(with([](CameraView& view) { view.faces.clear(); }),
              testing::AllOf(HasSubstr("no face"), HasSubstr("stand where guests stand")));
  EXPECT_THAT(with([](CameraView& view) { view.faces[1].brightness = 20; }),
              testing::AllOf(HasSubstr("light: too dark"), HasSubstr("more light")));
  EXPECT_THAT(with([](CameraView& view) { view.faces[1].brightness = 240; }),
              HasSubstr("light: too bright"));
  EXPECT_THAT(with([](CameraView& view) {
                view.faces[1].brightness = 60;
                view.bright = 0.3F;
              }),
              testing::AllOf(HasSubstr("against the light"), HasSubstr("turn the camera")));
  EXPECT_THAT(with([](CameraView& view) { view.faces[1].sharpness = 5; }),
              testing::AllOf(HasSubstr("not sharp"), HasSubstr("clean the lens")));
  EXPECT_THAT(with([](CameraView& view) { view.over = std::chrono::seconds(15); }),
              HasSubstr("few pictures a second"));
}

TEST(CameraWords, AWallIsNotCalledBlurred) {
  CameraStatus status = good();
  status.view->faces.clear();
  status.view->sharpness = 1;
  EXPECT_EQ(words(status)["view"]["sharp"], false);
  status.view->contrast = 4;
  EXPECT_EQ(words(status)["view"]["sharp"], true);
  status.view->dark = 0.4F;
  status.view->bright = 0.4F;
  EXPECT_EQ(words(status)["view"]["light"], "against the light");
}

TEST(CameraWords, WithoutAPictureSayWhy) {
  CameraStatus status;
  status.health = CameraHealth::gone;
  status.why = "there is no such device";
  const auto said = words(status);
  EXPECT_EQ(said["sees"], "no picture: gone, there is no such device");
  EXPECT_TRUE(said["view"].is_null());
  EXPECT_THAT(said["advice"].dump(), HasSubstr("doctor"));
}

}  // namespace
}  // namespace welcome::daemon
