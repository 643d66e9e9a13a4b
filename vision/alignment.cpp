// SPDX-License-Identifier: Apache-2.0
#include "vision/alignment.h"

#include <cmath>
#include <opencv2/imgproc.hpp>

namespace welcome::vision {
namespace {

bool usable(const Landmarks& points) {
  const Point left = mean_of(points, 36, 41);
  const Point right = mean_of(points, 42, 47);
  return std::hypot(right.x - left.x, right.y - left.y) >= 2.0F;
}

}  // namespace

Point mean_of(const Landmarks& points, std::size_t first, std::size_t last) {
  Point sum;
  for (std::size_t i = first; i <= last; ++i) {
    sum.x += points[i].x;
    sum.y += points[i].y;
  }
  const auto n = static_cast<float>(last - first + 1);
  return {sum.x / n, sum.y / n};
}

Image align(const Image& image, const Landmarks& landmarks, int width, int height,
            const FivePoints& points) {
  if (image.empty() || !usable(landmarks)) return {};
  const FivePoints from{{mean_of(landmarks, 36, 41), mean_of(landmarks, 42, 47), landmarks[30],
                         landmarks[48], landmarks[54]}};
  // Least squares for x' = a·x − b·y + c, y' = b·x + a·y + d, both sets about their means.
  double fx = 0;
  double fy = 0;
  double tx = 0;
  double ty = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    fx += static_cast<double>(from[i].x) / 5;
    fy += static_cast<double>(from[i].y) / 5;
    tx += static_cast<double>(points[i].x) / 5;
    ty += static_cast<double>(points[i].y) / 5;
  }
  double square = 0;
  double same = 0;
  double cross = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const double x = static_cast<double>(from[i].x) - fx;
    const double y = static_cast<double>(from[i].y) - fy;
    const double u = static_cast<double>(points[i].x) - tx;
    const double v = static_cast<double>(points[i].y) - ty;
    square += x * x + y * y;
    same += x * u + y * v;
    cross += x * v - y * u;
  }
  if (!(square > 1e-6)) return {};
  const double a = same / square;
  const double b = cross / square;
  const cv::Matx23d forward(a, -b, tx - a * fx + b * fy, b, a, ty - b * fx - a * fy);
  try {
    cv::Mat out;
    cv::warpAffine(image.mat(), out, forward, {width, height}, cv::INTER_LINEAR,
                   cv::BORDER_CONSTANT);
    return Image(out);
  } catch (const cv::Exception&) {
    return {};
  }
}

}  // namespace welcome::vision
