// SPDX-License-Identifier: Apache-2.0
#include "eval/cover.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace welcome::eval {
namespace {

using vision::Landmarks;
using Points = std::vector<cv::Point>;

cv::Point2f at(const Landmarks& points, std::size_t i) { return {points[i].x, points[i].y}; }
cv::Point2f between(cv::Point2f a, cv::Point2f b, float share) { return a + (b - a) * share; }

float face_width(const Landmarks& points) {
  const cv::Point2f across = at(points, 16) - at(points, 0);
  return std::hypot(across.x, across.y);
}

// `shape` in `colour`, lit from the side as the face is, with the grain of cloth or skin.
void paint(cv::Mat& picture, const cv::Mat& shape, const cv::Scalar& colour, cv::RNG& random) {
  const cv::Rect box = cv::boundingRect(shape);
  if (box.empty()) return;
  const double slope = random.uniform(-0.35, 0.35);
  const double grain = random.uniform(1.0, 5.0);
  for (int y = box.y; y < box.br().y; ++y) {
    for (int x = box.x; x < box.br().x; ++x) {
      const double share = shape.at<std::uint8_t>(y, x) / 255.0;
      if (share == 0) continue;
      const double light = 1 + slope * ((x - box.x) / static_cast<double>(box.width) - 0.5);
      auto& pixel = picture.at<cv::Vec3b>(y, x);
      const double noise = random.gaussian(grain);
      for (int c = 0; c < 3; ++c) {
        const double wanted = colour[c] * light + noise;
        pixel[c] = cv::saturate_cast<std::uint8_t>(pixel[c] * (1 - share) + wanted * share);
      }
    }
  }
}

cv::Mat empty_shape(const cv::Mat& picture) { return cv::Mat::zeros(picture.size(), CV_8U); }

void fill(cv::Mat& shape, const Points& outline) {
  cv::fillPoly(shape, std::vector<Points>{outline}, cv::Scalar::all(255), cv::LINE_AA);
}

void wear_mask(cv::Mat& picture, const Landmarks& points, cv::RNG& random) {
  static const std::array<cv::Scalar, 5> kColours{cv::Scalar(215, 190, 140),
                                                  cv::Scalar(228, 228, 226), cv::Scalar(32, 30, 30),
                                                  cv::Scalar(150, 95, 60), cv::Scalar(95, 90, 150)};
  const cv::Scalar colour = kColours[static_cast<std::size_t>(random.uniform(0, 5))];
  const float width = face_width(points);
  const float top = static_cast<float>(random.uniform(0.1, 0.6));
  const cv::Point2f bridge = between(at(points, 28), at(points, 29), top);
  Points outline;
  for (std::size_t i = 1; i <= 15; ++i) outline.emplace_back(at(points, i));
  outline.emplace_back(between(at(points, 15), bridge, 0.55F));
  outline.emplace_back(bridge);
  outline.emplace_back(between(at(points, 1), bridge, 0.55F));
  cv::Mat shape = empty_shape(picture);
  fill(shape, outline);
  paint(picture, shape, colour, random);
  // Folds run from side to side and hang a little; some masks have none.
  const int folds = random.uniform(0, 6);
  const int thick = std::max(1, cvRound(width / 70));
  for (int fold = 0; fold < folds; ++fold) {
    const float down = (static_cast<float>(fold) + 0.8F) / (static_cast<float>(folds) + 0.6F);
    const cv::Point2f left = between(at(points, 2), at(points, 6), down);
    const cv::Point2f right = between(at(points, 14), at(points, 10), down);
    const cv::Point2f middle = between(bridge, at(points, 8), 0.25F + 0.65F * down);
    Points line;
    for (int step = 0; step <= 16; ++step) {
      const float t = static_cast<float>(step) / 16;
      line.emplace_back(left * ((1 - t) * (1 - t)) + middle * (2 * t * (1 - t)) + right * (t * t));
    }
    const double shade = random.uniform(0.55, 0.85);
    cv::polylines(picture, line, false, colour * shade, thick, cv::LINE_AA);
    for (cv::Point& p : line) p.y += thick;
    cv::polylines(picture, line, false, colour * 1.12, thick, cv::LINE_AA);
  }
  cv::line(picture, at(points, 1), at(points, 0), colour, thick, cv::LINE_AA);
  cv::line(picture, at(points, 15), at(points, 16), colour, thick, cv::LINE_AA);
}

void wear_sunglasses(cv::Mat& picture, const Landmarks& points, cv::RNG& random) {
  const float width = face_width(points);
  const double dark = random.uniform(8, 55);
  const cv::Scalar colour(dark * random.uniform(0.8, 1.2), dark, dark * random.uniform(0.8, 1.3));
  const float grow = static_cast<float>(random.uniform(0.125, 0.17)) * width;
  const double angle = std::atan2(points[45].y - points[36].y, points[45].x - points[36].x) * 57.3;
  for (const std::size_t first : {36U, 42U}) {
    cv::Point2f middle;
    for (std::size_t i = first; i < first + 6; ++i) middle += at(points, i) * (1.0F / 6);
    cv::Mat shape = empty_shape(picture);
    cv::ellipse(shape, middle, cv::Size(cvRound(grow * 1.25F), cvRound(grow)), angle, 0, 360,
                cv::Scalar::all(255), cv::FILLED, cv::LINE_AA);
    paint(picture, shape, colour, random);
    if (random.uniform(0, 2) == 0) {  // the sky in the lens
      const cv::Point2f shine = middle + cv::Point2f(grow * 0.3F, -grow * 0.4F);
      cv::Mat glint = empty_shape(picture);
      cv::ellipse(glint, shine, cv::Size(cvRound(grow * 0.4F), cvRound(grow * 0.15F)), -25, 0, 360,
                  cv::Scalar::all(150), cv::FILLED, cv::LINE_AA);
      paint(picture, glint, colour + cv::Scalar::all(90), random);
    }
  }
  const int thick = std::max(1, cvRound(width / 40));
  cv::line(picture, between(at(points, 39), at(points, 42), 0.1F),
           between(at(points, 39), at(points, 42), 0.9F), colour, thick, cv::LINE_AA);
  cv::line(picture, at(points, 36), at(points, 0), colour, thick, cv::LINE_AA);
  cv::line(picture, at(points, 45), at(points, 16), colour, thick, cv::LINE_AA);
}

void hold_a_hand(cv::Mat& picture, const Landmarks& points, cv::RNG& random) {
  const float width = face_width(points);
  // The colour of the cheek, a little darker or lighter.
  const cv::Point cheek = between(at(points, 2), at(points, 31), 0.5F);
  const int reach = std::max(2, cvRound(width / 20));
  const cv::Rect patch = cv::Rect(cheek.x - reach, cheek.y - reach, 2 * reach, 2 * reach) &
                         cv::Rect(0, 0, picture.cols, picture.rows);
  const cv::Scalar skin = patch.empty() ? cv::Scalar(130, 160, 200)
                                        : cv::mean(picture(patch)) * random.uniform(0.8, 1.15);
  const bool from_left = random.uniform(0, 2) == 0;
  const cv::Point2f away = (at(points, 16) - at(points, 0)) * (1 / width);
  const cv::Point2f down(-away.y, away.x);
  const cv::Point2f mouth = between(at(points, 51), at(points, 57), 0.5F);
  const float side = from_left ? -1.0F : 1.0F;
  const int thick = cvRound(width * 0.13F);
  for (int finger = 0; finger < 4; ++finger) {
    const float row = (static_cast<float>(finger) - 1.6F) * 0.125F * width;
    const float tip = static_cast<float>(random.uniform(0.3, 0.42)) * width;
    const cv::Point2f from = mouth + down * (row * 1.25F) + away * (side * 0.62F * width);
    const cv::Point2f to = mouth + down * row - away * (side * tip);
    cv::Mat shape = empty_shape(picture);
    cv::line(shape, from, to, cv::Scalar::all(255), thick + 2, cv::LINE_AA);
    paint(picture, shape, skin * 0.72, random);  // the shade between the fingers
    shape = empty_shape(picture);
    cv::line(shape, from, to, cv::Scalar::all(255), std::max(1, thick - 2), cv::LINE_AA);
    paint(picture, shape, skin, random);
  }
}

void stand_behind(cv::Mat& picture, const Landmarks& points, cv::RNG& random) {
  // The lower 40 % of the face, from side to side of it.
  const float width = face_width(points);
  const float brow = std::min(points[19].y, points[24].y);
  const float height = points[8].y - brow;
  const cv::Rect gone =
      cv::Rect(cvRound(points[0].x - width * 0.25F), cvRound(points[8].y - height * 0.5F),
               cvRound(width * 1.5F), cvRound(height * 0.9F)) &
      cv::Rect(0, 0, picture.cols, picture.rows);
  if (gone.empty()) return;
  cv::Mat shape = empty_shape(picture);
  shape(gone).setTo(255);
  const double grey = random.uniform(0, 230);
  paint(picture, shape, cv::Scalar(grey, grey * random.uniform(0.8, 1.1), grey), random);
}

}  // namespace

std::string_view to_string(Cover cover) {
  switch (cover) {
    case Cover::mask:
      return "mask";
    case Cover::sunglasses:
      return "sunglasses";
    case Cover::hand:
      return "hand";
    case Cover::lower_half:
      return "lower_half";
  }
  return "";
}

vision::Image covered(const vision::Image& original, const vision::Landmarks& landmarks,
                      Cover cover, std::uint64_t seed) {
  if (original.empty()) return {};
  cv::Mat picture = original.mat().clone();
  cv::RNG random(seed);
  switch (cover) {
    case Cover::mask:
      wear_mask(picture, landmarks, random);
      break;
    case Cover::sunglasses:
      wear_sunglasses(picture, landmarks, random);
      break;
    case Cover::hand:
      hold_a_hand(picture, landmarks, random);
      break;
    case Cover::lower_half:
      stand_behind(picture, landmarks, random);
      break;
  }
  cv::GaussianBlur(picture, picture, {}, 0.5);
  return vision::Image(picture);
}

}  // namespace welcome::eval
