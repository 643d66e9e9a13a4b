// SPDX-License-Identifier: Apache-2.0
#include "vision/image.h"

#include <gtest/gtest.h>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>

#include "vision/picture_header.h"

namespace welcome::vision {
namespace {

using Bytes = std::vector<std::uint8_t>;

// Something with structure everywhere, and no two corners alike.
cv::Mat scene(int width = 160, int height = 120) {
  cv::Mat out(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      out.at<cv::Vec3b>(y, x) =
          cv::Vec3b(static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(2 * y),
                    static_cast<std::uint8_t>((x / 8 + y / 8) % 2 * 90));
    }
  }
  return out;
}

Bytes encoded(const char* as, const std::vector<int>& how = {}) {
  Bytes bytes;
  cv::imencode(as, scene(), bytes, how);
  return bytes;
}

void put(Bytes& out, const std::string& text) { out.insert(out.end(), text.begin(), text.end()); }
void put_little(Bytes& out, std::size_t value, int size) {
  for (int i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
void put_big(Bytes& out, std::size_t value, int size) {
  for (int i = size; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

Bytes exif(int orientation) {
  Bytes out;
  put(out, "II");
  put_little(out, 42, 2);
  put_little(out, 8, 4);
  put_little(out, 1, 2);
  put_little(out, 0x0112, 2);
  put_little(out, 3, 2);
  put_little(out, 1, 4);
  put_little(out, static_cast<std::size_t>(orientation), 4);
  put_little(out, 0, 4);
  return out;
}

Bytes jpeg_with_exif(const cv::Mat& pixels, int orientation) {
  Bytes jpeg;
  cv::imencode(".jpg", pixels, jpeg);
  Bytes segment{0xFF, 0xE1};
  const Bytes tags = exif(orientation);
  put_big(segment, 2 + 6 + tags.size(), 2);
  put(segment, std::string("Exif\0\0", 6));
  segment.insert(segment.end(), tags.begin(), tags.end());
  jpeg.insert(jpeg.begin() + 2, segment.begin(), segment.end());
  return jpeg;
}

Bytes webp_with_exif(const cv::Mat& pixels, int orientation) {
  Bytes plain;
  cv::imencode(".webp", pixels, plain, {cv::IMWRITE_WEBP_QUALITY, 95});
  Bytes body;
  put(body, "WEBPVP8X");
  put_little(body, 10, 4);
  put_little(body, 0x08, 4);  // it has EXIF
  put_little(body, static_cast<std::size_t>(pixels.cols - 1), 3);
  put_little(body, static_cast<std::size_t>(pixels.rows - 1), 3);
  body.insert(body.end(), plain.begin() + 12, plain.end());
  const Bytes tags = exif(orientation);
  put(body, "EXIF");
  put_little(body, tags.size(), 4);
  body.insert(body.end(), tags.begin(), tags.end());
  Bytes out;
  put(out, "RIFF");
  put_little(out, body.size(), 4);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

// How a camera that is held this way stores an upright scene.
cv::Mat stored(const cv::Mat& upright, int orientation) {
  cv::Mat out = upright.clone();
  if (orientation == 2) cv::flip(upright, out, 1);
  if (orientation == 3) cv::rotate(upright, out, cv::ROTATE_180);
  if (orientation == 4) cv::flip(upright, out, 0);
  if (orientation == 5) cv::transpose(upright, out);
  if (orientation == 6) cv::rotate(upright, out, cv::ROTATE_90_COUNTERCLOCKWISE);
  if (orientation == 7) {
    cv::rotate(upright, out, cv::ROTATE_180);
    cv::transpose(out, out);
  }
  if (orientation == 8) cv::rotate(upright, out, cv::ROTATE_90_CLOCKWISE);
  return out;
}

double difference(const Image& image, const cv::Mat& wanted) {
  if (image.empty() || image.mat().size() != wanted.size()) return 255;
  return cv::norm(image.mat(), wanted, cv::NORM_L1) / static_cast<double>(wanted.total() * 3);
}

TEST(Picture, IsTurnedUprightWhicheverWayTheCameraWasHeld) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const cv::Mat pixels = stored(scene(), orientation);
    EXPECT_LT(
        difference(Image::decode(jpeg_with_exif(pixels, orientation)).value_or(Image{}), scene()),
        12)
        << "JPEG " << orientation;
    EXPECT_LT(
        difference(Image::decode(webp_with_exif(pixels, orientation)).value_or(Image{}), scene()),
        12)
        << "WebP " << orientation;
  }
}

TEST(Picture, OfEveryFormatThatEndsEarlyIsDamaged) {
  const std::vector<std::pair<std::string, Bytes>> files{
      {"JPEG", encoded(".jpg")},
      {"progressive JPEG", encoded(".jpg", {cv::IMWRITE_JPEG_PROGRESSIVE, 1})},
      {"JPEG with restarts", encoded(".jpg", {cv::IMWRITE_JPEG_RST_INTERVAL, 4})},
      {"PNG", encoded(".png")},
      {"WebP", encoded(".webp")},
      {"BMP", encoded(".bmp")},
      {"PPM", encoded(".ppm")}};
  for (const auto& [name, bytes] : files) {
    const auto whole = Image::decode(bytes);
    ASSERT_TRUE(whole.has_value()) << name << ": " << whole.error().message;
    EXPECT_EQ(whole->width(), 160) << name;
    for (const double share : {0.3, 0.5, 0.9}) {
      const auto length = static_cast<std::size_t>(static_cast<double>(bytes.size()) * share);
      const auto cut = Image::decode(std::span(bytes).first(length));
      ASSERT_FALSE(cut.has_value()) << name << " at " << share;
      EXPECT_EQ(cut.error().code, ErrorCode::malformed) << name << " at " << share;
    }
  }
}

TEST(Picture, OfAJpegThatSomebodyClosedAfterCuttingItIsDamagedToo) {
  Bytes bytes = encoded(".jpg");
  bytes.resize(bytes.size() / 2);
  bytes.push_back(0xFF);
  bytes.push_back(0xD9);
  EXPECT_EQ(Image::decode(bytes).error().code, ErrorCode::malformed);
}

TEST(Picture, OfACameraThatForgetsTheEndMarkerIsWhole) {
  Bytes bytes = encoded(".jpg");
  bytes.resize(bytes.size() - 2);
  EXPECT_TRUE(Image::decode(bytes).has_value());
  put(bytes, std::string("\xFF\xD9", 2));
  bytes.resize(bytes.size() + 500);  // and one that fills up its buffer
  EXPECT_TRUE(Image::decode(bytes).has_value());
}

TEST(Picture, ThatClaimsToBeHugeIsRefusedBeforeItIsUnpacked) {
  Bytes png;
  put(png, std::string("\x89PNG\r\n\x1A\n", 8));
  put_big(png, 13, 4);
  put(png, "IHDR");
  put_big(png, 16000, 4);
  put_big(png, 16000, 4);
  png.resize(png.size() + 9);
  put_big(png, 0, 4);
  put(png, "IEND");
  put_big(png, 0, 4);
  EXPECT_EQ(Image::decode(png).error().code, ErrorCode::refused);

  Bytes jpeg = encoded(".jpg");
  for (std::size_t i = 0; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] != 0xFF || jpeg[i + 1] != 0xC0) continue;
    jpeg[i + 5] = jpeg[i + 7] = 0xF0;  // 61,000 pixels high and wide
    break;
  }
  EXPECT_EQ(Image::decode(jpeg).error().code, ErrorCode::refused);

  Bytes webp = webp_with_exif(scene(), 1);
  webp[26] = webp[29] = 0xFF;
  EXPECT_EQ(Image::decode(webp).error().code, ErrorCode::refused);

  Bytes bmp = encoded(".bmp");
  bmp[20] = bmp[24] = 1;  // 65,000 more of each
  EXPECT_EQ(Image::decode(bmp).error().code, ErrorCode::refused);

  Bytes pgm;
  put(pgm, "P5\n# by hand\n100000 100000\n255\n");
  EXPECT_EQ(Image::decode(pgm).error().code, ErrorCode::refused);
}

TEST(Picture, OfAFormatThatIsNotSupportedIsNamed) {
  const auto message = [](const Bytes& bytes) { return Image::decode(bytes).error().message; };
  Bytes gif;
  put(gif, "GIF89a");
  gif.resize(40);
  EXPECT_NE(message(gif).find("GIF is not supported"), std::string::npos);
  const auto iso = [](const std::string& brands) {
    Bytes out;
    put_big(out, 8 + brands.size(), 4);
    put(out, "ftyp" + brands);
    out.resize(out.size() + 40);
    return out;
  };
  EXPECT_NE(message(iso(std::string("heic\0\0\0\0mif1heic", 16))).find("HEIC"), std::string::npos);
  EXPECT_NE(message(iso(std::string("mif1\0\0\0\0mif1avif", 16))).find("AVIF"), std::string::npos);
  EXPECT_NE(message(iso(std::string("isom\0\0\0\0isommp42", 16))).find("not JPEG"),
            std::string::npos);
}

TEST(Picture, OfAnyBytesIsAnErrorOrAPicture) {
  const std::vector<Bytes> seeds{encoded(".jpg"), encoded(".png"), webp_with_exif(scene(), 6),
                                 encoded(".bmp"), jpeg_with_exif(scene(), 6)};
  cv::RNG random(3);
  for (int round = 0; round < 300; ++round) {
    Bytes bytes =
        seeds[static_cast<std::size_t>(random.uniform(0, static_cast<int>(seeds.size())))];
    for (int i = 0; i < 6; ++i) {
      const int most = std::min(static_cast<int>(bytes.size()), 200);
      bytes[static_cast<std::size_t>(random.uniform(0, most))] =
          static_cast<std::uint8_t>(random.uniform(0, 256));
    }
    const auto image = Image::decode(bytes);
    if (image) {
      EXPECT_FALSE(image->empty());
    }
  }
}

TEST(Picture, CanBeTurned) {
  const Image image(scene());
  EXPECT_EQ(image.turned(0).mat().data, image.mat().data);
  cv::Mat wanted;
  cv::rotate(scene(), wanted, cv::ROTATE_90_CLOCKWISE);
  EXPECT_EQ(difference(image.turned(90), wanted), 0);
  EXPECT_EQ(difference(image.turned(90).turned(90), image.turned(180).mat()), 0);
  EXPECT_EQ(difference(image.turned(270).turned(90), scene()), 0);
}

}  // namespace
}  // namespace welcome::vision
