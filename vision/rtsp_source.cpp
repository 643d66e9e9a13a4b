#include <opencv2/videoio.hpp>

#include "vision/frame_source.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;

class RtspSource final : public FrameSource {
 public:
  explicit RtspSource(RtspOptions options) : options_(std::move(options)) {}

  // The stream sets the pace: a read waits for the next picture, at most kTimeout.
  Result<Frame> next(milliseconds /*patience*/) override {
    try {
      if (!video_.isOpened() && !open()) return lost("camera: the stream cannot be opened");
      cv::Mat pixels;
      if (!video_.read(pixels) || pixels.empty()) return lost("camera: the stream broke off");
      state_ = SourceState::running;
      return Frame{Image(pixels.clone()), options_.clock(), number_++};
    } catch (const cv::Exception&) {
      return lost("camera: the stream is damaged");
    }
  }

  void close() override {
    video_.release();
    state_ = SourceState::closed;
  }

  SourceState state() const override { return state_; }

 private:
  static constexpr int kTimeoutMs = 3000;

  bool open() {
    // Nothing but RTSP: a configured address must not become a file or a device.
    if (!options_.url.starts_with("rtsp://") && !options_.url.starts_with("rtsps://")) return false;
    return video_.open(
        options_.url, cv::CAP_FFMPEG,
        {cv::CAP_PROP_OPEN_TIMEOUT_MSEC, kTimeoutMs, cv::CAP_PROP_READ_TIMEOUT_MSEC, kTimeoutMs});
  }

  tl::unexpected<Error> lost(const char* why) {
    video_.release();
    state_ = SourceState::failed;  // the worker comes back with growing pauses
    return fail(ErrorCode::unavailable, why);
  }

  RtspOptions options_;
  cv::VideoCapture video_;
  std::uint64_t number_ = 0;
  SourceState state_ = SourceState::closed;
};

}  // namespace

std::unique_ptr<FrameSource> make_rtsp_source(RtspOptions options) {
  return std::make_unique<RtspSource>(std::move(options));
}

}  // namespace welcome::vision
