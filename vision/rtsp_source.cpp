#include <opencv2/videoio.hpp>
#include <optional>

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
      MonoTime at;
      do {
        if (!video_.grab()) return lost("camera: the stream broke off");
        state_ = SourceState::running;
        at = options_.clock();
      } while (options_.max_fps > 0 && given_ && at - *given_ < shortest());
      given_ = at;
      cv::Mat pixels;
      if (!video_.retrieve(pixels) || pixels.empty()) {
        return fail(ErrorCode::malformed, "camera: a damaged picture");
      }
      return Frame{Image(pixels.clone()), at, number_++};
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
  static constexpr int kTimeoutMs = 2000;  // so that status shows a break within 3 s

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

  // A little less than a picture's time: streams are not even.
  MonoTime::duration shortest() const {
    return std::chrono::duration_cast<MonoTime::duration>(
        std::chrono::duration<double>(0.8 / options_.max_fps));
  }

  RtspOptions options_;
  std::optional<MonoTime> given_;
  cv::VideoCapture video_;
  std::uint64_t number_ = 0;
  SourceState state_ = SourceState::closed;
};

}  // namespace

std::unique_ptr<FrameSource> make_rtsp_source(RtspOptions options) {
  return std::make_unique<RtspSource>(std::move(options));
}

}  // namespace welcome::vision
