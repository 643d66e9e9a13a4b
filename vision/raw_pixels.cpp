// SPDX-License-Identifier: Apache-2.0
#include "vision/raw_pixels.h"

#include <algorithm>
#include <array>
#include <linux/videodev2.h>
#include <opencv2/imgproc.hpp>

namespace welcome::vision {
namespace {

// How a picture of a format lies in memory, and how it becomes BGR.
struct Layout {
  std::uint32_t format;
  int type;      // of one pixel in the first plane
  int halves;    // the whole is as high as so many half pictures: 2 = one plane
  int convert;   // cv::ColorConversionCodes; -1 = grey
  int low_bits;  // of 16 that are more than 8
};
constexpr std::array kLayouts{
    Layout{V4L2_PIX_FMT_YUYV, CV_8UC2, 2, cv::COLOR_YUV2BGR_YUYV, 0},
    Layout{V4L2_PIX_FMT_UYVY, CV_8UC2, 2, cv::COLOR_YUV2BGR_UYVY, 0},
    Layout{V4L2_PIX_FMT_NV12, CV_8UC1, 3, cv::COLOR_YUV2BGR_NV12, 0},
    Layout{V4L2_PIX_FMT_YUV420, CV_8UC1, 3, cv::COLOR_YUV2BGR_I420, 0},
    Layout{V4L2_PIX_FMT_GREY, CV_8UC1, 2, -1, 0},
    Layout{V4L2_PIX_FMT_Y16, CV_16UC1, 2, -1, 8},
    Layout{V4L2_PIX_FMT_Y12, CV_16UC1, 2, -1, 4},
    Layout{V4L2_PIX_FMT_Y10, CV_16UC1, 2, -1, 2},
};

}  // namespace

std::span<const std::uint32_t> raw_formats() {
  static const auto formats = [] {
    std::array<std::uint32_t, kLayouts.size()> all{};
    std::transform(kLayouts.begin(), kLayouts.end(), all.begin(),
                   [](const Layout& layout) { return layout.format; });
    return all;
  }();
  return formats;
}

Result<Image> image_from_raw(std::uint32_t format, std::span<const std::uint8_t> bytes, int width,
                             int height, std::size_t stride) {
  const auto bad = [] { return fail(ErrorCode::malformed, "a damaged picture"); };
  const auto* layout = std::find_if(kLayouts.begin(), kLayouts.end(), [&](const Layout& candidate) {
    return candidate.format == format;
  });
  if (layout == kLayouts.end() || width <= 0 || height <= 0) return bad();
  const auto line =
      static_cast<std::size_t>(width) * static_cast<std::size_t>(CV_ELEM_SIZE(layout->type));
  stride = std::max(stride, line);
  const int rows = height * layout->halves / 2;
  if (bytes.size() < stride * static_cast<std::size_t>(rows)) return bad();
  try {
    cv::Mat raw(rows, width, layout->type, const_cast<std::uint8_t*>(bytes.data()), stride);
    // Half as wide planes have half the stride, which a picture with gaps cannot say.
    if (format == V4L2_PIX_FMT_YUV420 && stride != line) return bad();
    cv::Mat picture;
    if (layout->convert >= 0) {
      cv::cvtColor(raw, picture, layout->convert);
    } else if (layout->low_bits > 0) {
      raw.convertTo(picture, CV_8U, 1.0 / (1 << layout->low_bits));
    } else {
      picture = raw.clone();
    }
    return Image(picture);
  } catch (const cv::Exception&) {
    return bad();
  }
}

}  // namespace welcome::vision
