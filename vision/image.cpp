// SPDX-License-Identifier: Apache-2.0
#include "vision/image.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <system_error>
#include <vector>

#include "vision/jpeg.h"
#include "vision/picture_header.h"

namespace welcome::vision {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 64U << 20;
constexpr std::int64_t kMaxSide = 32767;
constexpr std::int64_t kMaxPixels = 64'000'000;

Image unpack(std::span<const std::uint8_t> bytes, PictureFormat format) {
  if (format == PictureFormat::jpeg) return decode_jpeg(bytes).value_or(Image{});
  const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8U,
                    const_cast<std::uint8_t*>(bytes.data()));
  return Image(cv::imdecode(raw, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION));
}

// EXIF counts: 1 upright, 2 mirrored, 3 upside down, 4 that mirrored, 5 and 7 mirrored on their
// sides, 6 to be turned clockwise, 8 counter-clockwise.
cv::Mat upright(const cv::Mat& pixels, int orientation) {
  cv::Mat out = pixels;
  if (orientation >= 5) cv::transpose(pixels, out);
  switch (orientation) {
    case 2:
    case 6:
      cv::flip(out, out, 1);
      break;
    case 3:
    case 7:
      cv::flip(out, out, -1);
      break;
    case 4:
    case 8:
      cv::flip(out, out, 0);
      break;
    default:
      break;
  }
  return out;
}

}  // namespace

float overlap(const Box& a, const Box& b) {
  const float width = std::min(a.right(), b.right()) - std::max(a.x, b.x);
  const float height = std::min(a.bottom(), b.bottom()) - std::max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const float both = width * height;
  return both / (a.area() + b.area() - both);
}

Image::Image(const cv::Mat& pixels) {
  if (pixels.empty() || pixels.dims != 2) return;
  cv::Mat bytes = pixels;
  if (bytes.depth() == CV_16U) {
    cv::Mat scaled;
    bytes.convertTo(scaled, CV_8U, 1.0 / 257.0);
    bytes = scaled;
  }
  if (bytes.depth() != CV_8U) return;
  cv::Mat bgr;
  switch (bytes.channels()) {
    case 1:
      cv::cvtColor(bytes, bgr, cv::COLOR_GRAY2BGR);
      break;
    case 3:
      bgr = bytes;
      break;
    case 4:
      cv::cvtColor(bytes, bgr, cv::COLOR_BGRA2BGR);
      break;
    default:
      return;
  }
  mat_ = std::make_shared<const cv::Mat>(std::move(bgr));
}

Result<Image> Image::load(const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  if (error) return fail(ErrorCode::not_found, "picture: cannot be opened");
  if (size > kMaxFileBytes) return fail(ErrorCode::refused, "picture: larger than 64 MiB");
  std::ifstream in(file, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in) return fail(ErrorCode::unavailable, "picture: cannot be read");
  // Bytes are what the decoder takes; char may be signed.
  return decode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

Result<Image> Image::decode(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return fail(ErrorCode::malformed, "picture: empty");
  const auto header = read_picture_header(bytes);
  if (!header) return fail(ErrorCode::malformed, "picture: not JPEG, PNG, WebP, BMP or PNM");
  if (!is_supported(header->format)) {
    return fail(ErrorCode::refused, "picture: " + std::string(to_string(header->format)) +
                                        " is not supported; save it as JPEG or PNG");
  }
  if (header->width <= 0 || header->height <= 0) {
    return fail(ErrorCode::malformed, "picture: damaged");
  }
  // Before anything is unpacked: a few kilobytes can claim to be gigabytes.
  if (header->width > kMaxSide || header->height > kMaxSide ||
      header->width * header->height > kMaxPixels) {
    return fail(ErrorCode::refused, "picture: more than 64 million pixels");
  }
  if (!header->whole) return fail(ErrorCode::malformed, "picture: cut short");
  try {
    const Image image = unpack(bytes, header->format);
    if (image.empty()) return fail(ErrorCode::malformed, "picture: damaged");
    return Image(upright(image.mat(), header->orientation));
  } catch (const std::exception&) {
    return fail(ErrorCode::malformed, "picture: cannot be decoded");
  }
}

Image Image::turned(int degrees) const {
  if (empty() || degrees == 0) return *this;
  cv::Mat out;
  cv::rotate(mat(), out,
             degrees == 90    ? cv::ROTATE_90_CLOCKWISE
             : degrees == 180 ? cv::ROTATE_180
                              : cv::ROTATE_90_COUNTERCLOCKWISE);
  return Image(out);
}

int Image::width() const { return mat_ ? mat_->cols : 0; }
int Image::height() const { return mat_ ? mat_->rows : 0; }

}  // namespace welcome::vision
