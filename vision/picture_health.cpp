// SPDX-License-Identifier: Apache-2.0
#include "vision/picture_health.h"

#include <algorithm>
#include <cstdlib>
#include <opencv2/imgproc.hpp>

namespace welcome::vision {
namespace {

constexpr int kWidth = 64;
constexpr int kHeight = 36;
constexpr int kChanged = 10;      // grey levels that are more than noise after averaging
constexpr int kChangedCells = 4;  // of 2,304: a head at the far end of the room
constexpr int kChangedCellsOfPart = 2;
// Encoding a still picture again and again changes a cell by up to 4 levels; the quietest 2.5 s of
// a person who talks or listens, by 14.
constexpr int kQuietLevels = 5;
constexpr int kQuietCells = 2;
constexpr int kSamplesWide = 160;
constexpr int kSamplesHigh = 90;
// On the average, per sample: 0.04 where a still picture is encoded again, 0.3 and more with a
// sensor's noise.
constexpr double kExact = 0.1;

bool changed(const std::vector<std::uint8_t>& before, const std::vector<std::uint8_t>& now,
             int levels, int cells) {
  int many = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    many += std::abs(int{now[i]} - int{before[i]}) > levels ? 1 : 0;
  }
  return many >= cells;
}

}  // namespace

std::string_view to_string(PictureFault fault) {
  switch (fault) {
    case PictureFault::none:
      return "none";
    case PictureFault::black:
      return "black";
    case PictureFault::too_bright:
      return "too_bright";
    case PictureFault::frozen:
      return "frozen";
  }
  return "";
}

PictureFault PictureHealth::look(const Image& image, MonoTime at) {
  if (image.empty()) return PictureFault::none;
  cv::Mat small;
  cv::Mat grey;
  try {
    cv::resize(image.mat(), small, {kWidth, kHeight}, 0, 0, cv::INTER_AREA);
    cv::cvtColor(small, grey, cv::COLOR_BGR2GRAY);
  } catch (const cv::Exception&) {
    return PictureFault::none;
  }
  watch_quiet(image, std::vector<std::uint8_t>(grey.datastart, grey.dataend), at);
  // The thumbnail in colour tells frozen from quiet better than in grey.
  std::vector<std::uint8_t> now(small.datastart, small.dataend);
  now.insert(now.end(), grey.datastart, grey.dataend);
  const bool same = now == thumbnail_;
  thumbnail_ = std::move(now);

  moved_ = still_.size() != thumbnail_.size();
  changed_.clear();
  if (!moved_) {
    changed_.reserve(kWidth * kHeight);
    for (std::size_t i = thumbnail_.size() - kWidth * kHeight; i < thumbnail_.size(); ++i) {
      changed_.push_back(std::abs(int{thumbnail_[i]} - int{still_[i]}) > kChanged ? 1 : 0);
    }
    moved_ = std::count(changed_.begin(), changed_.end(), 1) >= kChangedCells;
  }

  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(grey, mean, deviation);
  PictureFault fault = PictureFault::none;
  if (mean[0] < 10 && deviation[0] < 6) {
    fault = PictureFault::black;
  } else if (mean[0] > 245 && deviation[0] < 10) {
    fault = PictureFault::too_bright;
  } else if (held_) {
    return PictureFault::frozen;
  } else if (same) {
    fault = PictureFault::frozen;
  }
  if (fault != suspected_) {
    suspected_ = fault;
    since_ = at;
  }
  return at - since_ >= kAfter ? suspected_ : PictureFault::none;
}

void PictureHealth::watch_quiet(const Image& image, std::vector<std::uint8_t> grey, MonoTime at) {
  if (quiet_.size() != grey.size() || changed(quiet_, grey, kQuietLevels, kQuietCells)) {
    quiet_ = std::move(grey);
    quiet_since_ = at;
    held_ = false;
  }
  cv::Mat some;
  cv::resize(image.mat(), some, {kSamplesWide, kSamplesHigh}, 0, 0, cv::INTER_NEAREST);
  std::vector<std::uint8_t> samples(some.datastart, some.dataend);
  double noise = kExact;
  if (samples.size() == samples_.size()) {
    noise = cv::norm(samples, samples_, cv::NORM_L1) / static_cast<double>(samples.size());
  }
  samples_ = std::move(samples);
  repeats_.push_back({at, noise < kExact});
  while (at - repeats_.front().at > kAfter) repeats_.pop_front();
}

std::chrono::milliseconds PictureHealth::quiet_for(MonoTime at) const {
  const auto exact = std::count_if(repeats_.begin(), repeats_.end(),
                                   [](const Repeat& repeat) { return repeat.exact; });
  if (!quiet_since_ || 2 * exact <= static_cast<std::ptrdiff_t>(repeats_.size())) return {};
  return std::chrono::duration_cast<std::chrono::milliseconds>(at - *quiet_since_);
}

bool PictureHealth::moved_in(const Box& part) const {
  if (changed_.empty()) return true;
  const auto clamp = [](float share, int cells) {
    return std::clamp(static_cast<int>(share * static_cast<float>(cells)), 0, cells);
  };
  int changed = 0;
  for (int y = clamp(part.y, kHeight); y < clamp(part.bottom(), kHeight); ++y) {
    for (int x = clamp(part.x, kWidth); x < clamp(part.right(), kWidth); ++x) {
      const int cell = y * kWidth + x;
      changed += changed_[static_cast<std::size_t>(cell)];
    }
  }
  return changed >= kChangedCellsOfPart;
}

}  // namespace welcome::vision
