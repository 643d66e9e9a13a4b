// SPDX-License-Identifier: Apache-2.0
#include "vision/raw_pixels.h"

#include <gtest/gtest.h>
#include <linux/videodev2.h>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace welcome::vision {
namespace {

constexpr int kWidth = 16;
constexpr int kHeight = 8;

// Lines of a colour camera or of an infrared one, all of one grey.
std::vector<std::uint8_t> grey(std::uint32_t format, std::uint8_t level) {
  constexpr std::size_t kPixels = kWidth * kHeight;
  std::vector<std::uint8_t> bytes;
  const auto add16 = [&](int bits) {
    const int value = level << (bits - 8);
    bytes.push_back(static_cast<std::uint8_t>(value & 0xFF));
    bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  };
  for (std::size_t i = 0; i < kPixels; ++i) {
    switch (format) {
      case V4L2_PIX_FMT_YUYV:
        bytes.insert(bytes.end(), {level, 128});
        break;
      case V4L2_PIX_FMT_UYVY:
        bytes.insert(bytes.end(), {128, level});
        break;
      case V4L2_PIX_FMT_Y16:
        add16(16);
        break;
      case V4L2_PIX_FMT_Y12:
        add16(12);
        break;
      case V4L2_PIX_FMT_Y10:
        add16(10);
        break;
      default:
        bytes.push_back(level);
    }
  }
  if (format == V4L2_PIX_FMT_NV12 || format == V4L2_PIX_FMT_YUV420) {
    bytes.insert(bytes.end(), kPixels / 2, 128);
  }
  return bytes;
}

TEST(RawPixels, ColourAndInfraredComeOutAsTheyWereSeen) {
  for (const std::uint32_t format : raw_formats()) {
    const auto bytes = grey(format, 128);
    const auto image = image_from_raw(format, bytes, kWidth, kHeight, 0);
    ASSERT_TRUE(image.has_value()) << format;
    EXPECT_EQ(image->width(), kWidth);
    EXPECT_EQ(image->height(), kHeight);
    const cv::Scalar mean = cv::mean(image->mat());
    for (int channel = 0; channel < 3; ++channel) EXPECT_NEAR(mean[channel], 129, 2) << format;
  }
}

TEST(RawPixels, APictureThatIsShortOrOfAnUnknownKindIsDamaged) {
  for (const std::uint32_t format : raw_formats()) {
    auto bytes = grey(format, 100);
    bytes.pop_back();
    EXPECT_EQ(image_from_raw(format, bytes, kWidth, kHeight, 0).error().code, ErrorCode::malformed)
        << format;
    EXPECT_FALSE(image_from_raw(format, bytes, 0, kHeight, 0).has_value());
  }
  EXPECT_FALSE(image_from_raw(V4L2_PIX_FMT_SBGGR10P, std::vector<std::uint8_t>(1000), 16, 8, 0));
}

TEST(RawPixels, LinesMayHaveGaps) {
  constexpr std::size_t kStride = 40;
  std::vector<std::uint8_t> bytes(kStride * kHeight, 255);
  for (std::size_t y = 0; y < kHeight; ++y) {
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(y * kStride), kWidth, 50);
  }
  const auto image = image_from_raw(V4L2_PIX_FMT_GREY, bytes, kWidth, kHeight, kStride);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(cv::mean(image->mat())[0], 50);
}

}  // namespace
}  // namespace welcome::vision
