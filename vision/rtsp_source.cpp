// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "vision/frame_source.h"
#include "vision/video.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{2000};  // so that status shows a break within 3 s

class RtspSource final : public FrameSource {
 public:
  explicit RtspSource(RtspOptions options) : options_(std::move(options)) {}

  // The stream sets the pace: a read waits for the next picture, at most kPatience.
  Result<Frame> next(milliseconds /*patience*/) override {
    if (!video_) {
      auto opened = Video::connect(options_.url, kPatience);
      if (!opened) return lost(std::move(opened.error()));
      video_.emplace(std::move(*opened));
    }
    MonoTime at;
    do {
      if (const auto took = video_->next(); !took) {
        const bool over = !video_->alive() || took.error().code == ErrorCode::not_found;
        if (over) return lost(took.error());
        if (took.error().code == ErrorCode::unavailable) state_ = SourceState::stalled;
        return tl::unexpected(took.error());
      }
      state_ = SourceState::running;
      at = options_.clock();
    } while (options_.max_fps > 0 && given_ && at - *given_ < shortest());
    given_ = at;
    auto image = video_->picture();
    if (!image) return tl::unexpected(image.error());
    return Frame{std::move(*image), at, number_++};
  }

  void close() override {
    video_.reset();
    state_ = SourceState::closed;
  }

  SourceState state() const override { return state_; }

 private:
  tl::unexpected<Error> lost(Error why) {
    video_.reset();
    state_ = SourceState::failed;  // the worker comes back with growing pauses
    why.code = ErrorCode::unavailable;
    return tl::unexpected(std::move(why));
  }

  // A little less than a picture's time: streams are not even.
  MonoTime::duration shortest() const {
    return std::chrono::duration_cast<MonoTime::duration>(
        std::chrono::duration<double>(0.8 / options_.max_fps));
  }

  RtspOptions options_;
  std::optional<MonoTime> given_;
  std::optional<Video> video_;
  std::uint64_t number_ = 0;
  SourceState state_ = SourceState::closed;
};

}  // namespace

std::unique_ptr<FrameSource> make_rtsp_source(RtspOptions options) {
  return std::make_unique<RtspSource>(std::move(options));
}

}  // namespace welcome::vision
