// SPDX-License-Identifier: Apache-2.0
#include "vision/quality.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace welcome::vision {
namespace {

// 0 at `bad`, 1 at `good` and beyond.
float ramp(float value, float bad, float good) {
  return std::clamp((value - bad) / (good - bad), 0.0F, 1.0F);
}

}  // namespace

std::string_view to_string(Defect defect) {
  switch (defect) {
    case Defect::none:
      return "none";
    case Defect::too_small:
      return "too_small";
    case Defect::too_dark:
      return "too_dark";
    case Defect::too_bright:
      return "too_bright";
    case Defect::blurred:
      return "blurred";
    case Defect::turned_away:
      return "turned_away";
    case Defect::covered:
      return "covered";
    case Defect::not_upright:
      return "not_upright";
  }
  return "";
}

Quality measure_quality(const Face& face) {
  const Image& aligned = face.aligned;
  Quality q;
  q.size_px = std::min(face.box.width, face.box.height);
  const Point left = mean_of(face.landmarks, 36, 41);
  const Point right = mean_of(face.landmarks, 42, 47);
  const Point mouth = mean_of(face.landmarks, 48, 59);
  const Point nose = face.landmarks[30];
  const Point eyes{(left.x + right.x) / 2, (left.y + right.y) / 2};
  const float ex = right.x - left.x;
  const float ey = right.y - left.y;
  const float between = std::hypot(ex, ey);
  const float down = std::hypot(mouth.x - eyes.x, mouth.y - eyes.y);
  if (between < 1 || down < 1 || aligned.empty()) return q;
  q.roll_deg = std::atan2(ey, ex) * 57.29578F;
  // Nose in the frame of the eyes: along the eye line, and across it towards the mouth.
  const float along = ((nose.x - eyes.x) * ex + (nose.y - eyes.y) * ey) / between;
  const float across = ((nose.y - eyes.y) * ex - (nose.x - eyes.x) * ey) / between;
  q.yaw = std::clamp(along / (between / 2), -1.0F, 1.0F);
  constexpr float kUsual = 0.55F;  // the nose tip's usual way from the eyes to the mouth
  q.pitch = std::clamp((across / down - kUsual) / 0.35F, -1.0F, 1.0F);

  try {
    cv::Mat grey;
    // The middle of the aligned picture is face in every pose; its edges may be background.
    cv::cvtColor(aligned.mat()(cv::Rect(20, 24, 72, 80)), grey, cv::COLOR_BGR2GRAY);
    cv::Mat edges;
    cv::Laplacian(grey, edges, CV_32F);
    cv::Scalar mean;
    cv::Scalar deviation;
    cv::meanStdDev(edges, mean, deviation);
    q.sharpness = static_cast<float>(deviation[0] * deviation[0]);
    cv::meanStdDev(grey, mean, deviation);
    q.brightness = static_cast<float>(mean[0]);
    q.contrast = static_cast<float>(deviation[0]);
    // Where the ArcFace template has the eyes and the mouth.
    cv::cvtColor(aligned.mat(), grey, cv::COLOR_BGR2GRAY);
    q.part_contrast = 255;
    for (const cv::Rect& part :
         {cv::Rect(28, 44, 20, 15), cv::Rect(64, 44, 20, 15), cv::Rect(42, 84, 28, 16)}) {
      cv::meanStdDev(grey(part), mean, deviation);
      q.part_contrast = std::min(q.part_contrast, static_cast<float>(deviation[0]));
    }
  } catch (const cv::Exception&) {
    return q;
  }
  q.score = (0.3F + 0.7F * ramp(q.size_px, 30, 110)) * (0.4F + 0.6F * ramp(q.sharpness, 5, 120)) *
            (0.5F + 0.5F * ramp(q.contrast, 8, 35)) * ramp(q.brightness, 15, 60) *
            ramp(255 - q.brightness, 10, 40) * (1 - 0.8F * std::abs(q.yaw)) *
            (1 - 0.5F * std::abs(q.pitch));
  return q;
}

Defect first_defect(const Quality& quality, const QualityLimits& limits) {
  if (quality.size_px < limits.min_size_px) return Defect::too_small;
  if (std::abs(quality.roll_deg) > limits.max_roll_deg) return Defect::not_upright;
  if (quality.brightness < limits.min_brightness || quality.contrast < limits.min_contrast) {
    return Defect::too_dark;
  }
  if (quality.brightness > limits.max_brightness) return Defect::too_bright;
  if (std::abs(quality.yaw) > limits.max_yaw || std::abs(quality.pitch) > limits.max_pitch) {
    return Defect::turned_away;
  }
  if (quality.part_contrast < limits.min_part_contrast) return Defect::covered;
  if (quality.sharpness < limits.min_sharpness) return Defect::blurred;
  return Defect::none;
}

}  // namespace welcome::vision
