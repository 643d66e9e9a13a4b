// SPDX-License-Identifier: Apache-2.0
#include "vision/picture_health.h"

#include <functional>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

#include "vision/frame_source.h"
#include "vision/quality.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;

MonoTime at(int ms) { return MonoTime{} + milliseconds(ms); }

Image grey(int level, double noise, std::uint64_t seed) {
  cv::Mat pixels(360, 640, CV_8UC3, cv::Scalar::all(level));
  if (noise > 0) {
    cv::RNG random(seed);
    cv::Mat grain(pixels.size(), CV_16SC3);
    random.fill(grain, cv::RNG::NORMAL, 0, noise);
    cv::add(pixels, grain, pixels, cv::noArray(), CV_8U);
  }
  return Image(pixels);
}

PictureFault after_three_seconds(const std::function<Image(int)>& picture) {
  PictureHealth health;
  PictureFault fault = PictureFault::none;
  for (int ms = 0; ms <= 3000; ms += 100) fault = health.look(picture(ms), at(ms));
  return fault;
}

TEST(PictureHealth, NoticesABlackAFloodedAndAFrozenPictureWithinThreeSeconds) {
  EXPECT_EQ(
      after_three_seconds([](int ms) { return grey(2, 1, static_cast<std::uint64_t>(ms + 1)); }),
      PictureFault::black);
  EXPECT_EQ(
      after_three_seconds([](int ms) { return grey(253, 1, static_cast<std::uint64_t>(ms + 1)); }),
      PictureFault::too_bright);
  EXPECT_EQ(after_three_seconds([](int) { return grey(120, 4, 1); }), PictureFault::frozen);
}

TEST(PictureHealth, AQuietRoomIsNoFaultAndNoMotion) {
  EXPECT_EQ(
      after_three_seconds([](int ms) { return grey(120, 4, static_cast<std::uint64_t>(ms + 1)); }),
      PictureFault::none);
  PictureHealth health;
  health.look(grey(120, 4, 1), at(0));
  EXPECT_TRUE(health.moved());  // nothing to compare with yet
  health.accept_still();
  health.look(grey(120, 4, 2), at(100));
  EXPECT_FALSE(health.moved());
}

TEST(PictureHealth, IsQuietWhereNothingMovesAndMostPicturesRepeatTheOneBefore) {
  const auto quiet_after_ten_seconds = [](const std::function<Image(int)>& picture) {
    PictureHealth health;
    for (int i = 0; i < 100; ++i) health.look(picture(i), at(i * 100));
    return health.quiet_for(at(9900));
  };
  // Each tenth picture is encoded again.
  EXPECT_GE(quiet_after_ten_seconds(
                [](int i) { return grey(120, 3, static_cast<std::uint64_t>(i / 10 + 1)); }),
            milliseconds(9000));
  // A sensor, and somebody who walks through.
  EXPECT_EQ(quiet_after_ten_seconds(
                [](int i) { return grey(120, 3, static_cast<std::uint64_t>(i + 1)); }),
            milliseconds(0));
  EXPECT_LE(quiet_after_ten_seconds([](int i) {
              cv::Mat pixels = grey(120, 0, 1).mat().clone();
              cv::rectangle(pixels, cv::Rect(i * 5, 100, 40, 90), cv::Scalar::all(60), cv::FILLED);
              return Image(pixels);
            }),
            milliseconds(300));
}

TEST(PictureHealth, HeldFrozenItIsSoUntilSomethingMoves) {
  PictureHealth health;
  health.look(grey(120, 3, 1), at(0));
  health.hold_frozen();
  EXPECT_EQ(health.look(grey(120, 3, 2), at(100)), PictureFault::frozen);
  EXPECT_EQ(health.look(grey(90, 3, 2), at(200)), PictureFault::none);
  EXPECT_EQ(health.look(grey(90, 3, 3), at(300)), PictureFault::none);
}

TEST(PictureHealth, SeesSomebodySmallComeIn) {
  PictureHealth health;
  health.look(grey(120, 4, 1), at(0));
  health.accept_still();
  const Image before = grey(120, 4, 2);
  cv::Mat pixels = before.mat().clone();
  cv::rectangle(pixels, cv::Rect(300, 150, 30, 40), cv::Scalar(60, 80, 150), cv::FILLED);
  health.look(Image(pixels), at(100));
  EXPECT_TRUE(health.moved());
}

TEST(PictureHealth, RecoversAtOnce) {
  PictureHealth health;
  for (int ms = 0; ms <= 3000; ms += 100) health.look(grey(2, 0, 0), at(ms));
  EXPECT_EQ(health.look(grey(2, 0, 0), at(3100)), PictureFault::black);
  EXPECT_EQ(health.look(grey(120, 4, 9), at(3200)), PictureFault::none);
}

TEST(Quality, NamesTheFirstThingThatIsWrong) {
  const QualityLimits limits;
  Quality good;
  good.size_px = 120;
  good.sharpness = 150;
  good.brightness = 120;
  good.contrast = 40;
  good.part_contrast = 20;
  EXPECT_EQ(first_defect(good, limits), Defect::none);
  Quality bad = good;
  bad.size_px = 30;
  bad.brightness = 10;
  EXPECT_EQ(first_defect(bad, limits), Defect::too_small);
  bad = good;
  bad.brightness = 20;
  EXPECT_EQ(first_defect(bad, limits), Defect::too_dark);
  bad.brightness = 250;
  EXPECT_EQ(first_defect(bad, limits), Defect::too_bright);
  bad = good;
  bad.yaw = -0.8F;
  EXPECT_EQ(first_defect(bad, limits), Defect::turned_away);
  bad = good;
  bad.sharpness = 3;
  EXPECT_EQ(first_defect(bad, limits), Defect::blurred);
}

TEST(RtspSource, RefusesOtherAddressesAndComesBackFromABrokenOne) {
  const Clock clock = [] { return MonoTime{}; };
  for (const char* url : {"/etc/passwd", "http://127.0.0.1:9/", "rtsp://127.0.0.1:9/none"}) {
    const auto source = make_rtsp_source({url, 0, clock});
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(source->next(milliseconds(1)).error().code, ErrorCode::unavailable) << url;
      EXPECT_EQ(source->state(), SourceState::failed) << url;
    }
  }
}

}  // namespace
}  // namespace welcome::vision
