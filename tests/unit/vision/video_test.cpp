// SPDX-License-Identifier: Apache-2.0
#include "vision/video.h"

#include <cmath>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "tests/unit/vision/clips.h"
#include "vision/frame_source.h"

namespace welcome::vision {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::ClipFolder;

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

struct Seen {
  std::map<microseconds, Image> pictures;
  int damaged = 0;
};

Seen all_of(Video& video) {
  Seen seen;
  for (int i = 0; i < 10'000; ++i) {
    const auto took = video.next();
    if (!took && took.error().code == ErrorCode::not_found) break;
    auto picture = took ? video.picture() : Result<Image>(tl::unexpected(took.error()));
    if (picture) {
      seen.pictures.emplace(video.position(), std::move(*picture));
    } else {
      ++seen.damaged;
    }
  }
  return seen;
}

// Mean blue, green and red of a part, in shares of the picture.
cv::Scalar colour(const Image& image, double x, double y, double width, double height) {
  const auto at = [](double share, int size) {
    return static_cast<int>(std::lround(share * size));
  };
  return cv::mean(image.mat()(cv::Rect(at(x, image.width()), at(y, image.height()),
                                       at(width, image.width()), at(height, image.height()))));
}
bool is_red(const cv::Scalar& c) { return c[2] > 200 && c[0] < 60; }
bool is_blue(const cv::Scalar& c) { return c[0] > 200 && c[2] < 60; }

TEST(Video, FollowsAChangeOfSizeWithNothingLeftOfThePictureBefore) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  const std::string coded = " -t 1 -c:v libx264 -bf 0 -pix_fmt yuv420p ";
  const auto small = folder.make("small.ts", "-f lavfi -i color=red:size=180x144:rate=10" + coded);
  const auto large = folder.make("large.ts", "-f lavfi -i color=blue:size=360x288:rate=10" + coded);
  for (const bool grows : {true, false}) {
    const auto joined = folder / (grows ? "grows.ts" : "shrinks.ts");
    write(joined, grows ? bytes_of(small) + bytes_of(large) : bytes_of(large) + bytes_of(small));
    auto video = Video::open(joined);
    ASSERT_TRUE(video.has_value()) << video.error().message;
    const auto seen = all_of(*video).pictures;
    int red = 0;
    int blue = 0;
    for (const auto& [position, picture] : seen) {
      const auto mean = colour(picture, 0, 0, 1, 1);
      red += is_red(mean) && picture.width() == 180 && picture.height() == 144 ? 1 : 0;
      blue += is_blue(mean) && picture.width() == 360 && picture.height() == 288 ? 1 : 0;
    }
    // What stands before the joint has a gap behind it, so that nothing says it is whole.
    EXPECT_GE(grows ? red : blue, 8);
    EXPECT_EQ(grows ? blue : red, 10);
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(red + blue));
    EXPECT_EQ(seen.rbegin()->first, milliseconds(1900)) << "time goes on over the joint";
  }
}

TEST(Video, TurnsPicturesOfPhonesUpright) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  // Upright: red above, blue below, 120×160.
  const std::string upright =
      "-f lavfi -i color=red:size=120x80:rate=10 -f lavfi -i color=blue:size=120x80:rate=10 -t "
      "0.5 ";
  const std::map<int, std::string> lying{
      {0, "copy"}, {90, "transpose=clock"}, {180, "hflip,vflip"}, {270, "transpose=cclock"}};
  for (const auto& [degrees, filter] : lying) {
    const auto plain = folder.make("plain.mp4", upright + "-filter_complex '[0][1]vstack," +
                                                    filter + "' -c:v libx264 -pix_fmt yuv420p");
    const auto turned = folder.make(
        "turned.mp4",
        "-i '" + plain.string() + "' -c copy -metadata:s:v:0 rotate=" + std::to_string(degrees));
    auto video = Video::open(turned);
    ASSERT_TRUE(video.has_value() && video->next().has_value());
    const auto picture = video->picture();
    ASSERT_TRUE(picture.has_value());
    EXPECT_EQ(picture->width(), 120) << degrees;
    EXPECT_EQ(picture->height(), 160) << degrees;
    EXPECT_TRUE(is_red(colour(*picture, 0, 0, 1, 0.4))) << degrees;
    EXPECT_TRUE(is_blue(colour(*picture, 0, 0.6, 1, 0.4))) << degrees;
  }
}

TEST(Video, MakesPixelsSquare) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  const auto made = [&](const char* shape) {
    auto video = Video::open(folder.make(
        "wide.mp4", std::string("-f lavfi -i color=red:size=144x96:rate=10 -t 0.3 -vf setsar=") +
                        shape + " -c:v libx264 -pix_fmt yuv420p"));
    EXPECT_TRUE(video.has_value() && video->next().has_value());
    return video->picture().value();
  };
  EXPECT_EQ(made("4/3").width(), 192);
  EXPECT_EQ(made("4/3").height(), 96);
  EXPECT_EQ(made("1/2").width(), 144);
  EXPECT_EQ(made("1/2").height(), 192);
}

TEST(Video, IsToldByItsContentWhateverItsName) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  const auto clip = folder.make("clip.mp4", "-f lavfi -i color=red:size=64x48 -t 0.2");
  // A name in Latin-1, without an ending.
  const auto odd = folder / "Fran\xE7ois";
  std::filesystem::rename(clip, odd);
  EXPECT_TRUE(Video::open(odd).has_value());

  const auto text = folder / "text.mp4";
  write(text, std::string(5000, 'x'));
  EXPECT_EQ(Video::open(text).error().code, ErrorCode::refused);
  write(text, "");
  EXPECT_EQ(Video::open(text).error().code, ErrorCode::refused);
  EXPECT_EQ(Video::open(folder / "none.mp4").error().code, ErrorCode::unavailable);
  EXPECT_EQ(Video::open(folder / "").error().code, ErrorCode::refused);
}

TEST(Video, OpensNoOtherFileThatOneNames) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  const auto clip = folder.make("clip.ts", "-f lavfi -i color=red:size=64x48 -t 0.2");
  const auto list = folder / "list.mp4";
  write(list, "ffconcat version 1.0\nfile 'clip.ts'\n");
  EXPECT_FALSE(Video::open(list).has_value());
  write(list,
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + clip.string() + "\n#EXT-X-ENDLIST\n");
  EXPECT_FALSE(Video::open(list).has_value());
}

TEST(Video, OfADescriptorNeedsNoName) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  const auto clip = folder.make("clip.mp4", "-f lavfi -i color=red:size=64x48:rate=10 -t 1");
  const OpenFile opened(new int(::open(clip.c_str(), O_RDONLY | O_CLOEXEC)), [](const int* owned) {
    ::close(*owned);
    delete owned;
  });
  std::filesystem::remove(clip);
  ASSERT_GT(::lseek(*opened, 100, SEEK_SET), 0);
  auto video = Video::open(opened);
  ASSERT_TRUE(video.has_value()) << video.error().message;
  EXPECT_EQ(all_of(*video).pictures.size(), 10U);
}

TEST(Video, RefusesPicturesThatAreTooLarge) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  const auto clip = folder.make(
      "huge.avi", "-f lavfi -i color=red:size=8000x6000 -frames:v 1 -c:v mjpeg -q:v 31");
  ASSERT_LT(std::filesystem::file_size(clip), 2'000'000U);
  const auto video = Video::open(clip);
  ASSERT_FALSE(video.has_value());
  EXPECT_EQ(video.error().code, ErrorCode::refused);
}

// ---- damaged

TEST(Video, GivesNoJpegThatEndedEarly) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  std::string all;
  for (int i = 0; i < 5; ++i) {
    const std::string whole =
        bytes_of(folder.make("one.jpg", "-f lavfi -i testsrc=size=320x240 -frames:v 1 -vf hue=h=" +
                                            std::to_string(i * 40)));
    all += i % 2 == 0 ? whole : whole.substr(0, whole.size() / 2);
  }
  write(folder / "cut.mjpeg", all);
  auto video = Video::open(
      folder.make("cut.avi", "-f mjpeg -i '" + (folder / "cut.mjpeg").string() + "' -c:v copy"));
  ASSERT_TRUE(video.has_value()) << video.error().message;
  const Seen seen = all_of(*video);
  EXPECT_EQ(seen.pictures.size(), 3U);
  EXPECT_EQ(seen.damaged, 2);
}

TEST(Video, GivesOnlyPicturesAsTheyWereSentFromADamagedStream) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  const auto whole = folder.make("whole.ts",
                                 "-f lavfi -i testsrc2=size=320x240:rate=25 -t 6 -c:v libx264 "
                                 "-preset veryfast -tune zerolatency -g 25 -pix_fmt yuv420p");
  auto undamaged = Video::open(whole);
  ASSERT_TRUE(undamaged.has_value());
  const auto all = all_of(*undamaged).pictures;
  ASSERT_EQ(all.size(), 150U);
  std::string bytes = bytes_of(whole);
  constexpr std::size_t kPacket = 188;
  const std::size_t packets = bytes.size() / kPacket;
  for (const std::size_t gone : {packets / 4, packets / 2, 3 * packets / 4}) {
    std::string cut = bytes;
    cut.erase(gone * kPacket, 5 * kPacket);
    const auto file = folder / "cut.ts";
    write(file, cut);
    auto video = Video::open(file);
    ASSERT_TRUE(video.has_value());
    const auto seen = all_of(*video);
    EXPECT_GE(seen.damaged, 1);
    EXPECT_GE(seen.pictures.size(), 100U) << "it recovers";
    for (const auto& [position, picture] : seen.pictures) {
      const auto sent = all.find(position);
      ASSERT_NE(sent, all.end());
      EXPECT_LT(cv::norm(sent->second.mat(), picture.mat(), cv::NORM_INF), 1)
          << "at " << position.count() / 1000 << " ms";
    }
  }
}

// ---- sources

TEST(FileSource, KeepsPaceOverAChangeOfSize) {
  WELCOME_NEEDS_FFMPEG();
  const ClipFolder folder;
  const std::string coded = " -t 2 -c:v libx264 -bf 0 -pix_fmt yuv420p ";
  const auto joined = folder / "joined.ts";
  const auto first = folder.make("a.ts", "-f lavfi -i color=red:size=180x144:rate=10" + coded);
  const auto second = folder.make("b.ts", "-f lavfi -i color=blue:size=360x288:rate=10" + coded);
  write(joined, bytes_of(first) + bytes_of(second));
  microseconds position{0};
  const auto source = make_file_source(
      {joined, [&] { return position; }, [&] { return MonoTime{} + position; }, 5});
  for (; position < milliseconds(3600); position += milliseconds(200)) {
    const auto frame = source->next(milliseconds(5));
    if (!frame) {
      EXPECT_EQ(frame.error().code, ErrorCode::malformed);
      EXPECT_EQ(position, milliseconds(1800)) << "the joint: a gap is behind it";
      continue;
    }
    EXPECT_EQ(frame->image.width(), position < milliseconds(2000) ? 180 : 360) << position.count();
  }
}

}  // namespace
}  // namespace welcome::vision
