// SPDX-License-Identifier: Apache-2.0
#include "eval/attack.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace welcome::eval {
namespace {

// Paper takes neither deep black nor pure white, and has a white margin.
cv::Mat printed(const cv::Mat& picture) {
  cv::Mat flat;
  picture.convertTo(flat, CV_8U, 0.68, 42);
  cv::GaussianBlur(flat, flat, {}, 0.7);
  const int margin = std::max(4, picture.cols / 14);
  cv::Mat sheet;
  cv::copyMakeBorder(flat, sheet, margin, margin, margin, margin, cv::BORDER_CONSTANT,
                     cv::Scalar(222, 226, 228));
  return sheet;
}

// Stripes of the screen's sub-pixels, beating with the camera's grid; bluish white; a dark bezel.
cv::Mat displayed(const cv::Mat& picture) {
  cv::Mat shown(picture.size(), CV_8UC3);
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const auto& from = picture.at<cv::Vec3b>(y, x);
      auto& to = shown.at<cv::Vec3b>(y, x);
      const double bands = 1.0 + 0.10 * std::sin(0.83 * x + 0.21 * y) * std::sin(0.79 * x);
      const double rows = 1.0 + 0.05 * std::sin(2.4 * y);
      const std::array<double, 3> tint{1.10, 1.0, 0.93};
      for (int c = 0; c < 3; ++c) {
        const double stripe = 1.0 + 0.09 * std::sin(2.1 * x + 2.09 * c);
        to[c] = cv::saturate_cast<std::uint8_t>((from[c] * 0.88 + 18) * bands * rows * stripe *
                                                tint[static_cast<std::size_t>(c)]);
      }
    }
  }
  const int bezel = std::max(5, picture.cols / 16);
  cv::Mat screen;
  cv::copyMakeBorder(shown, screen, bezel, bezel, bezel, bezel, cv::BORDER_CONSTANT,
                     cv::Scalar(14, 13, 12));
  return screen;
}

void add_glare(cv::Mat& picture, cv::RNG& random, double strength) {
  const double cx = random.uniform(0.2, 0.8) * picture.cols;
  const double cy = random.uniform(0.1, 0.4) * picture.rows;
  const double radius = 0.18 * picture.cols;
  for (int y = 0; y < picture.rows; ++y) {
    for (int x = 0; x < picture.cols; ++x) {
      const double away = std::hypot(x - cx, (y - cy) * 1.7) / radius;
      const double light = strength * std::exp(-away * away);
      auto& pixel = picture.at<cv::Vec3b>(y, x);
      for (int c = 0; c < 3; ++c) pixel[c] = cv::saturate_cast<std::uint8_t>(pixel[c] + light);
    }
  }
}

// Held at an angle in front of a wall.
cv::Mat held(const cv::Mat& sheet, cv::Size room, cv::RNG& random) {
  const auto width = static_cast<float>(room.width);
  const auto height = static_cast<float>(room.height);
  const float scale = 0.86F * std::min(width / static_cast<float>(sheet.cols),
                                       height / static_cast<float>(sheet.rows));
  const float w = static_cast<float>(sheet.cols) * scale;
  const float h = static_cast<float>(sheet.rows) * scale;
  const float x = (width - w) / 2;
  const float y = (height - h) / 2;
  const auto shift = [&](float side) {
    return static_cast<float>(random.uniform(-0.04, 0.04)) * side;
  };
  const std::array<cv::Point2f, 4> from{
      {{0, 0},
       {static_cast<float>(sheet.cols), 0},
       {static_cast<float>(sheet.cols), static_cast<float>(sheet.rows)},
       {0, static_cast<float>(sheet.rows)}}};
  const std::array<cv::Point2f, 4> to{{{x + shift(w), y + shift(h)},
                                       {x + w + shift(w), y + shift(h)},
                                       {x + w + shift(w), y + h + shift(h)},
                                       {x + shift(w), y + h + shift(h)}}};
  cv::Mat out(room, CV_8UC3, cv::Scalar(104, 118, 126));
  cv::warpPerspective(sheet, out, cv::getPerspectiveTransform(from.data(), to.data()), room,
                      cv::INTER_LINEAR, cv::BORDER_TRANSPARENT);
  return out;
}

}  // namespace

std::optional<Attack> attack_from_string(std::string_view text) {
  if (text == "print") return Attack::print;
  if (text == "screen") return Attack::screen;
  return std::nullopt;
}

vision::Image imitate(const vision::Image& original, Attack attack, std::uint64_t seed) {
  if (original.empty()) return {};
  cv::RNG random(seed);
  cv::Mat sheet = attack == Attack::print ? printed(original.mat()) : displayed(original.mat());
  add_glare(sheet, random, attack == Attack::print ? 45 : 80);
  cv::Mat out = held(sheet, {original.width() * 4 / 3, original.height() * 4 / 3}, random);
  cv::GaussianBlur(out, out, {}, 0.6);
  cv::Mat noise(out.size(), CV_16SC3);
  random.fill(noise, cv::RNG::NORMAL, 0, 3);
  cv::add(out, noise, out, cv::noArray(), CV_8U);
  return vision::Image(out);
}

}  // namespace welcome::eval
