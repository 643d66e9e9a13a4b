// SPDX-License-Identifier: Apache-2.0
#include "vision/face_motion.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;

constexpr Box kFace{200, 100, 120, 160};

// Something with the edges of a face, `right` pixels from where it was, in this light, with the
// noise of having been encoded once more.
Image face(double right, double light, double noise, int seed) {
  cv::Mat pixels(360, 640, CV_8UC3, cv::Scalar::all(90));
  const auto oval = [&](double x, double y, double w, double h, int level) {
    cv::ellipse(pixels,
                cv::RotatedRect(cv::Point2f(static_cast<float>(x + right), static_cast<float>(y)),
                                cv::Size2f(static_cast<float>(w), static_cast<float>(h)), 0),
                cv::Scalar::all(level), cv::FILLED, cv::LINE_AA);
  };
  oval(260, 180, 120, 160, 170);
  oval(235, 160, 22, 10, 60);
  oval(285, 160, 22, 10, 60);
  oval(260, 220, 44, 14, 110);
  cv::Mat grain(pixels.size(), CV_16SC3);
  cv::RNG random(static_cast<std::uint64_t>(seed + 1));
  random.fill(grain, cv::RNG::NORMAL, light, noise);
  cv::add(pixels, grain, pixels, cv::noArray(), CV_8U);
  return Image(pixels);
}

// For how many of 60 s, five pictures a second, a face moving so is taken for alive.
double alive_for(const std::function<Image(int)>& picture) {
  FaceMotion motion;
  int alive = 0;
  for (int i = 0; i < 300; ++i) {
    alive += motion.lives(picture(i), kFace, MonoTime{} + milliseconds(200) * i) ? 1 : 0;
  }
  return alive / 5.0;
}

TEST(FaceMotion, APictureLivesNoLongerThanItsPatience) {
  EXPECT_LE(alive_for([](int) { return face(0, 0, 0, 0); }), 5.0);
}

TEST(FaceMotion, NoiseAndEncodingAgainBringNothingToLife) {
  EXPECT_LE(alive_for([](int i) { return face(0, 0, 4, i); }), 5.0);
}

TEST(FaceMotion, NeitherDoesALightThatChanges) {
  EXPECT_LE(alive_for([](int i) { return face(0, 15 * std::sin(i / 20.0), 2, i); }), 5.0);
}

TEST(FaceMotion, WhoHardlyMovesIsAlive) {
  // One and a half pixels to and fro within eight seconds, in a face of 120.
  EXPECT_EQ(alive_for([](int i) { return face(0.75 * std::sin(i * 6.28 / 40), 0, 3, i); }), 60.0);
}

TEST(FaceMotion, AFaceThatWentElsewhereHasMoved) {
  FaceMotion motion;
  const Image picture = face(0, 0, 0, 0);
  EXPECT_TRUE(motion.lives(picture, kFace, MonoTime{}));
  EXPECT_FALSE(motion.lives(picture, kFace, MonoTime{} + milliseconds(6000)));
  EXPECT_TRUE(motion.lives(picture, {250, 100, 120, 160}, MonoTime{} + milliseconds(6100)));
  EXPECT_TRUE(motion.lives(picture, {-300, -300, 10, 10}, MonoTime{} + milliseconds(6200)));
  EXPECT_FALSE(motion.lives(Image(), kFace, MonoTime{} + milliseconds(6300)));
}

}  // namespace
}  // namespace welcome::vision
