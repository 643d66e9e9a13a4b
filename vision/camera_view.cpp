// SPDX-License-Identifier: Apache-2.0
#include "vision/camera_view.h"

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "vision/quality.h"

namespace welcome::vision {

namespace {

constexpr double kNearlyBlack = 25;
constexpr double kNearlyWhite = 240;

float share(const cv::Mat& mask) {
  return static_cast<float>(cv::countNonZero(mask)) / static_cast<float>(mask.total());
}

float between_eyes(const Landmarks& landmarks) {
  const Point left = mean_of(landmarks, 36, 41);
  const Point right = mean_of(landmarks, 42, 47);
  return std::hypot(right.x - left.x, right.y - left.y);
}

}  // namespace

CameraView view_of(const Image& image, Recogniser& recogniser) {
  CameraView view;
  if (image.empty()) return view;
  view.width = image.width();
  view.height = image.height();
  cv::Mat grey;
  cv::cvtColor(image.mat(), grey, cv::COLOR_BGR2GRAY);
  cv::Scalar mean;
  cv::Scalar deviation;
  cv::meanStdDev(grey, mean, deviation);
  view.brightness = static_cast<float>(mean[0]);
  view.contrast = static_cast<float>(deviation[0]);
  view.dark = share(grey <= kNearlyBlack);
  view.bright = share(grey >= kNearlyWhite);
  cv::Mat edges;
  cv::Laplacian(grey, edges, CV_32F);
  cv::meanStdDev(edges, mean, deviation);
  view.sharpness = static_cast<float>(deviation[0] * deviation[0]);
  for (const Face& face : recogniser.find(image)) {
    const Quality quality = measure_quality(face);
    view.faces.push_back({quality.size_px, face.aligned.empty() ? 0 : between_eyes(face.landmarks),
                          quality.brightness, quality.sharpness});
  }
  return view;
}

}  // namespace welcome::vision
