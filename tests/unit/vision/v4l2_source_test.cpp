// SPDX-License-Identifier: Apache-2.0
// A camera of the kernel that changes the size of its pictures while it streams, as HDMI bridges
// and some USB cameras do: reopened, and no picture is read by the wrong measures.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <gtest/gtest.h>
#include <opencv2/core.hpp>
#include <optional>
#include <poll.h>
#include <vector>

#include "vision/v4l2_device.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;

// What a driver and its camera are, across openings.
struct Camera {
  std::uint32_t width = 16;
  std::uint32_t height = 8;
  std::uint32_t most_bytes = 0;  // that it claims for a picture; 0: as many as it has
  std::deque<std::vector<std::uint8_t>> pictures;
  std::deque<std::uint32_t> events;  // types
  int error = 0;                     // of the next picture that is taken
  std::optional<std::pair<std::uint32_t, std::uint32_t>> on_the_cable;
  int opened = 0;
  bool subscribed = false;
  bool pulled_out = false;

  std::uint32_t bytes() const { return width * height * 2; }
  // All grey at `level`, as large as its pictures are now.
  void show(std::uint8_t level) {
    std::vector<std::uint8_t> picture(bytes(), 128);
    for (std::size_t i = 0; i < picture.size(); i += 2) picture[i] = level;
    pictures.push_back(std::move(picture));
  }
  void become(std::uint32_t new_width, std::uint32_t new_height) {
    width = new_width;
    height = new_height;
    pictures.clear();
  }
};

class FakeDevice final : public V4l2Device {
 public:
  explicit FakeDevice(Camera& camera) : camera_(camera) {
    ++camera_.opened;
    camera_.subscribed = false;
  }

  int control(unsigned long request, void* argument) override {
    switch (request) {
      case VIDIOC_QUERYCAP:
        static_cast<v4l2_capability*>(argument)->device_caps =
            V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
      case VIDIOC_SUBSCRIBE_EVENT:
        camera_.subscribed |=
            static_cast<v4l2_event_subscription*>(argument)->type == V4L2_EVENT_SOURCE_CHANGE;
        return 0;
      case VIDIOC_DQEVENT:
        return take_event(*static_cast<v4l2_event*>(argument));
      case VIDIOC_QUERY_DV_TIMINGS:
        return camera_.on_the_cable ? 0 : failed(ENOTTY);
      case VIDIOC_S_DV_TIMINGS:
        camera_.become(camera_.on_the_cable->first, camera_.on_the_cable->second);
        return 0;
      case VIDIOC_S_FMT:
      case VIDIOC_G_FMT:
        describe(static_cast<v4l2_format*>(argument)->fmt.pix);
        return 0;
      case VIDIOC_QUERYBUF:
        static_cast<v4l2_buffer*>(argument)->length = kBufferBytes;
        return 0;
      case VIDIOC_DQBUF:
        return take_picture(*static_cast<v4l2_buffer*>(argument));
      default:
        return 0;
    }
  }

  short wait(milliseconds) override {
    // As the kernel's v4l2_poll() does.
    if (camera_.pulled_out) return POLLERR | POLLHUP | POLLPRI;
    int signs = camera_.events.empty() ? 0 : POLLPRI;
    if (!camera_.pictures.empty() || camera_.error != 0) signs |= POLLIN;
    return static_cast<short>(signs);
  }

  std::span<const std::uint8_t> map(const v4l2_buffer&) override {
    memory_.push_back(std::make_unique<std::vector<std::uint8_t>>(kBufferBytes));
    return *memory_.back();
  }

 private:
  static constexpr std::uint32_t kBufferBytes = 65536;

  static int failed(int error) {
    errno = error;
    return -1;
  }

  void describe(v4l2_pix_format& pix) const {
    pix.width = camera_.width;
    pix.height = camera_.height;
    pix.pixelformat = V4L2_PIX_FMT_YUYV;
    pix.bytesperline = camera_.width * 2;
    pix.sizeimage = camera_.most_bytes > 0 ? camera_.most_bytes : camera_.bytes();
  }

  int take_event(v4l2_event& event) {
    if (!camera_.subscribed || camera_.events.empty()) return failed(ENOENT);
    event.type = camera_.events.front();
    event.u.src_change.changes = V4L2_EVENT_SRC_CH_RESOLUTION;
    camera_.events.pop_front();
    return 0;
  }

  int take_picture(v4l2_buffer& buffer) {
    if (const int error = std::exchange(camera_.error, 0); error != 0) return failed(error);
    if (camera_.pictures.empty()) return failed(EAGAIN);
    const auto& picture = camera_.pictures.front();
    buffer.index = next_++ % static_cast<std::uint32_t>(memory_.size());
    std::copy(picture.begin(), picture.end(), memory_[buffer.index]->begin());
    buffer.bytesused = static_cast<std::uint32_t>(picture.size());
    camera_.pictures.pop_front();
    return 0;
  }

  Camera& camera_;
  std::vector<std::unique_ptr<std::vector<std::uint8_t>>> memory_;
  std::uint32_t next_ = 0;
};

class V4l2SizesTest : public ::testing::Test {
 protected:
  // The next picture is whole: of this size, and of one grey all over.
  void expect_picture(int width, int height, std::uint8_t level) {
    camera_.show(level);
    const auto frame = source_->next(milliseconds(10));
    ASSERT_TRUE(frame.has_value()) << frame.error().message;
    EXPECT_EQ(frame->image.width(), width);
    EXPECT_EQ(frame->image.height(), height);
    cv::Scalar mean;
    cv::Scalar spread;
    cv::meanStdDev(frame->image.mat(), mean, spread);
    EXPECT_EQ(spread[0], 0) << "lines of another length";
    EXPECT_EQ(source_->state(), SourceState::running);
  }
  void expect_nothing(ErrorCode code, SourceState state) {
    const auto frame = source_->next(milliseconds(10));
    ASSERT_FALSE(frame.has_value());
    EXPECT_EQ(frame.error().code, code);
    EXPECT_EQ(source_->state(), state);
  }

  Camera camera_;
  std::unique_ptr<FrameSource> source_ =
      make_v4l2_source({"/dev/camera", 16, 8, 15, [] { return MonoTime{}; }},
                       [this](const std::string&) -> Result<std::unique_ptr<V4l2Device>> {
                         return std::make_unique<FakeDevice>(camera_);
                       });
};

TEST_F(V4l2SizesTest, AnAnnouncedChangeIsFollowed) {
  expect_picture(16, 8, 60);
  camera_.become(32, 16);
  camera_.events.push_back(V4L2_EVENT_SOURCE_CHANGE);
  camera_.show(70);
  expect_nothing(ErrorCode::unavailable, SourceState::closed);
  camera_.pictures.clear();  // the buffers went with the device
  expect_picture(32, 16, 80);
  EXPECT_EQ(camera_.opened, 2);
}

TEST_F(V4l2SizesTest, AnotherEventChangesNothing) {
  expect_picture(16, 8, 60);
  camera_.events.push_back(V4L2_EVENT_CTRL);
  expect_nothing(ErrorCode::unavailable, SourceState::running);
  expect_picture(16, 8, 60);
  EXPECT_EQ(camera_.opened, 1);
}

// As many bytes as before, in lines of another length.
TEST_F(V4l2SizesTest, AChangeThatNobodyAnnouncesIsNoticedAtTheFirstPicture) {
  expect_picture(16, 8, 60);
  camera_.become(8, 16);
  camera_.show(70);
  expect_nothing(ErrorCode::unavailable, SourceState::closed);
  expect_picture(8, 16, 80);
  EXPECT_EQ(camera_.opened, 2);
}

TEST_F(V4l2SizesTest, APictureOfMoreBytesThanAgreedIsNone) {
  expect_picture(16, 8, 60);
  camera_.pictures.emplace_back(camera_.bytes() * 4, 50);
  expect_nothing(ErrorCode::unavailable, SourceState::closed);
  expect_picture(16, 8, 80);
}

TEST_F(V4l2SizesTest, APictureOfFewerBytesIsDamagedAndTheNextOneIsNot) {
  expect_picture(16, 8, 60);
  camera_.pictures.emplace_back(camera_.bytes() - 2, 50);
  expect_nothing(ErrorCode::malformed, SourceState::running);
  expect_picture(16, 8, 80);
  EXPECT_EQ(camera_.opened, 1);
}

TEST_F(V4l2SizesTest, PicturesThatAreFilledUpToTheBufferAreWhole) {
  camera_.most_bytes = 4096;
  camera_.pictures.emplace_back(4096, 128);
  const auto frame = source_->next(milliseconds(10));
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->image.width(), 16);
}

TEST_F(V4l2SizesTest, AfterAnErrorOfTheStreamTheSizeIsAgreedOnAnew) {
  for (const int error : {EIO, EPIPE}) {
    camera_.become(16, 8);
    source_->close();
    expect_picture(16, 8, 60);
    camera_.become(32, 16);
    camera_.error = error;
    expect_nothing(ErrorCode::unavailable, SourceState::failed);
    expect_picture(32, 16, 80);
  }
}

TEST_F(V4l2SizesTest, ADeviceThatIsPulledOutIsGone) {
  expect_picture(16, 8, 60);
  camera_.pulled_out = true;
  expect_nothing(ErrorCode::unavailable, SourceState::failed);
  camera_.pulled_out = false;
  expect_picture(16, 8, 60);
}

// The worker waits after `failed`, a little longer each time.
TEST_F(V4l2SizesTest, OneThatChangesAgainAndAgainWithoutAPictureIsLeftAloneForAWhile) {
  expect_picture(16, 8, 60);
  for (const SourceState state : {SourceState::closed, SourceState::closed, SourceState::closed,
                                  SourceState::failed, SourceState::failed}) {
    camera_.events.push_back(V4L2_EVENT_SOURCE_CHANGE);
    expect_nothing(ErrorCode::unavailable, state);
  }
  expect_picture(16, 8, 60);
  camera_.events.push_back(V4L2_EVENT_SOURCE_CHANGE);
  expect_nothing(ErrorCode::unavailable, SourceState::closed);
}

TEST_F(V4l2SizesTest, ABridgeTakesTheSizeThatItsCableBrings) {
  camera_.on_the_cable = {64, 32};
  source_->next(milliseconds(10));  // opens it
  expect_picture(64, 32, 60);
  camera_.on_the_cable = {32, 16};
  camera_.events.push_back(V4L2_EVENT_SOURCE_CHANGE);
  expect_nothing(ErrorCode::unavailable, SourceState::closed);
  source_->next(milliseconds(10));
  expect_picture(32, 16, 80);
}

TEST(V4l2Source, SaysThatADeviceIsMissingOrNoCamera) {
  const Clock clock = [] { return MonoTime{}; };
  for (const char* device : {"/dev/video-that-is-not-there", "/dev/null"}) {
    const auto source = make_v4l2_source({device, 640, 480, 15, clock});
    EXPECT_FALSE(source->next(milliseconds(1)).has_value());
    EXPECT_EQ(source->state(), SourceState::failed) << device;
  }
}

}  // namespace
}  // namespace welcome::vision
