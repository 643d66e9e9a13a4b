// SPDX-License-Identifier: Apache-2.0
#pragma once
// Image: a shared, read-only picture (8-bit BGR). Lives in RAM only; nothing here can write one
// to a disk. Values may be read from any thread.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "core/result.h"

namespace cv {
class Mat;
}

namespace welcome::vision {

struct Point {
  float x = 0;
  float y = 0;
};

struct Box {  // pixels; may reach beyond the picture
  float x = 0;
  float y = 0;
  float width = 0;
  float height = 0;

  float right() const { return x + width; }
  float bottom() const { return y + height; }
  float area() const { return width * height; }
  Point centre() const { return {x + width / 2, y + height / 2}; }
};

// Intersection over union, 0…1.
float overlap(const Box& a, const Box& b);

class Image {
 public:
  Image() = default;
  // Takes gray, BGR or BGRA of 8 or 16 bits; the pixels are shared where no conversion is needed.
  explicit Image(const cv::Mat& pixels);

  // JPEG, PNG, WebP, BMP or PNM, turned upright by its EXIF tag. What is damaged, cut short or
  // absurdly large is an error, never an exception and never half a picture; size and completeness
  // are looked at before anything is unpacked.
  static Result<Image> load(const std::filesystem::path& file);
  static Result<Image> decode(std::span<const std::uint8_t> bytes);

  // By 0, 90, 180 or 270 degrees clockwise.
  Image turned(int degrees) const;

  bool empty() const { return mat_ == nullptr; }
  int width() const;
  int height() const;
  const cv::Mat& mat() const { return *mat_; }  // requires !empty()

 private:
  std::shared_ptr<const cv::Mat> mat_;
};

}  // namespace welcome::vision
