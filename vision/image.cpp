#include "vision/image.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <system_error>
#include <vector>

namespace welcome::vision {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 64U << 20;
constexpr int kMaxSide = 16384;

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
  try {
    const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8U,
                      const_cast<std::uint8_t*>(bytes.data()));
    // IMREAD_COLOR turns the picture upright by its EXIF tag and makes gray BGR.
    const cv::Mat pixels = cv::imdecode(raw, cv::IMREAD_COLOR);
    if (pixels.empty()) return fail(ErrorCode::malformed, "picture: cannot be decoded");
    if (pixels.cols > kMaxSide || pixels.rows > kMaxSide) {
      return fail(ErrorCode::refused, "picture: more than 16384 pixels wide or high");
    }
    return Image(pixels);
  } catch (const std::exception&) {
    return fail(ErrorCode::malformed, "picture: cannot be decoded");
  }
}

int Image::width() const { return mat_ ? mat_->cols : 0; }
int Image::height() const { return mat_ ? mat_->rows : 0; }

}  // namespace welcome::vision
