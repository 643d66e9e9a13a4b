// SPDX-License-Identifier: Apache-2.0
#include "vision/face_motion.h"

#include <algorithm>
#include <cstdlib>
#include <opencv2/imgproc.hpp>

namespace welcome::vision {
namespace {

constexpr int kSide = 32;
// A still picture that is encoded again and again differs by up to 6 grey levels in a cell (of
// 1,024), with noise added before; a quiet listener by 11 or more in at least 20 cells.
constexpr int kMoved = 7;
constexpr int kCells = 4;
constexpr float kSamePlace = 0.7F;  // overlap of the boxes

std::vector<std::uint8_t> part_of(const Image& image, const Box& box) {
  const cv::Rect wanted(static_cast<int>(box.x), static_cast<int>(box.y),
                        static_cast<int>(box.width), static_cast<int>(box.height));
  const cv::Rect inside = wanted & cv::Rect(0, 0, image.width(), image.height());
  if (inside.width < 2 || inside.height < 2) return {};
  cv::Mat small;
  cv::resize(image.mat()(inside), small, {kSide, kSide}, 0, 0, cv::INTER_AREA);
  cv::Mat grey;
  cv::cvtColor(small, grey, cv::COLOR_BGR2GRAY);
  return {grey.datastart, grey.dataend};
}

// Beyond a change of the light as a whole.
bool differ(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  if (a.size() != b.size() || a.empty()) return true;
  std::vector<int> by(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) by[i] = int{b[i]} - int{a[i]};
  std::vector<int> sorted = by;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const int light = *middle;
  return std::count_if(by.begin(), by.end(),
                       [&](int change) { return std::abs(change - light) > kMoved; }) >= kCells;
}

}  // namespace

bool FaceMotion::lives(const Image& image, const Box& face, MonoTime at) {
  if (image.empty()) return false;
  const bool elsewhere = looks_.empty() || overlap(where_, face) < kSamePlace;
  if (elsewhere || differ(looks_, part_of(image, where_))) {
    where_ = face;
    looks_ = part_of(image, face);
    moved_at_ = at;
  }
  return at - moved_at_ < kPatience;
}

}  // namespace welcome::vision
