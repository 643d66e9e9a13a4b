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
  // The thumbnail in colour tells frozen from quiet better than in grey.
  std::vector<std::uint8_t> now(small.datastart, small.dataend);
  now.insert(now.end(), grey.datastart, grey.dataend);
  const bool same = now == thumbnail_;
  thumbnail_ = std::move(now);

  moved_ = still_.size() != thumbnail_.size();
  int changed = 0;
  for (std::size_t i = thumbnail_.size() - kWidth * kHeight; !moved_ && i < thumbnail_.size();
       ++i) {
    changed += std::abs(int{thumbnail_[i]} - int{still_[i]}) > kChanged ? 1 : 0;
    moved_ = changed >= kChangedCells;
  }

  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(grey, mean, deviation);
  PictureFault fault = PictureFault::none;
  if (mean[0] < 10 && deviation[0] < 6) {
    fault = PictureFault::black;
  } else if (mean[0] > 245 && deviation[0] < 10) {
    fault = PictureFault::too_bright;
  } else if (same) {
    fault = PictureFault::frozen;
  }
  if (fault != suspected_) {
    suspected_ = fault;
    since_ = at;
  }
  return at - since_ >= kAfter ? suspected_ : PictureFault::none;
}

}  // namespace welcome::vision
