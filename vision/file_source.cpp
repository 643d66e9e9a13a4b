// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <thread>
#include <vector>

#include "vision/frame_source.h"
#include "vision/video.h"

namespace welcome::vision {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

tl::unexpected<Error> ended() { return fail(ErrorCode::not_found, "it has ended"); }

microseconds step_of(double max_fps, microseconds length) {
  if (max_fps <= 0) return length;
  return std::max(length, microseconds(static_cast<std::int64_t>(1e6 / max_fps)));
}

class FileSource final : public FrameSource {
 public:
  explicit FileSource(FileSourceOptions options) : options_(std::move(options)) {}

  Result<Frame> next(milliseconds patience) override {
    if (state_ == SourceState::ended) return ended();
    if (!video_) {
      auto opened = Video::open(options_.file);
      if (!opened) {
        state_ = SourceState::failed;
        return tl::unexpected(opened.error());
      }
      video_.emplace(std::move(*opened));
      taken_ = false;
    }
    const auto position = wait_for_next(patience);
    if (!position) return fail(ErrorCode::unavailable, "no new frame yet");
    // Frames that are late are skipped, and where many are, not even decoded.
    constexpr microseconds kSeek = std::chrono::seconds(2);
    if (*position - (taken_ ? video_->position() : microseconds(0)) > kSeek) {
      video_->seek(*position);
      taken_ = false;
    }
    Result<void> took;
    while (!taken_ || video_->position() + video_->frame_length() <= *position) {
      took = video_->next();
      if (!took && took.error().code == ErrorCode::not_found) {
        close();
        state_ = SourceState::ended;
        return ended();
      }
      taken_ = true;
    }
    last_given_ = *position;
    state_ = SourceState::running;
    if (!took) return tl::unexpected(took.error());
    auto image = video_->picture();
    if (!image) return tl::unexpected(image.error());
    const auto number = video_->position() / video_->frame_length();
    return Frame{std::move(*image), options_.clock(), static_cast<std::uint64_t>(number)};
  }

  void close() override {
    video_.reset();
    last_given_ = microseconds::min() / 2;
    if (state_ != SourceState::ended) state_ = SourceState::closed;
  }

  SourceState state() const override { return state_; }

 private:
  // Waits for the story to reach the next frame. The story's clock may be faster than the world's,
  // so this looks again and again instead of computing how long to sleep.
  std::optional<microseconds> wait_for_next(milliseconds patience) const {
    microseconds due =
        std::max(last_given_ + step_of(options_.max_fps, video_->frame_length()), microseconds(0));
    if (taken_) due = std::max(due, video_->position() + video_->frame_length());
    const auto give_up = std::chrono::steady_clock::now() + patience;
    for (;;) {
      const microseconds position = options_.position();
      if (position >= due) return position;
      if (std::chrono::steady_clock::now() >= give_up) return std::nullopt;
      std::this_thread::sleep_for(milliseconds(2));
    }
  }

  FileSourceOptions options_;
  std::optional<Video> video_;
  bool taken_ = false;  // the video stands at a picture
  microseconds last_given_ = microseconds::min() / 2;
  SourceState state_ = SourceState::closed;
};

class ClipSource final : public FrameSource {
 public:
  explicit ClipSource(ClipOptions options) : options_(std::move(options)) {}

  Result<Frame> next(milliseconds /*patience*/) override {
    if (state_ == SourceState::ended) return ended();
    if (!video_) {
      auto opened = options_.opened ? Video::open(options_.opened) : Video::open(options_.file);
      if (!opened) {
        state_ = SourceState::failed;
        return tl::unexpected(opened.error());
      }
      video_.emplace(std::move(*opened));
      if (options_.from.count() > 0) {
        video_->seek(options_.from);
        skip_to_ = options_.from - video_->frame_length() / 2;
      }
    }
    const auto step = std::max<std::int64_t>(
        1, step_of(options_.max_fps, video_->frame_length()) / video_->frame_length());
    state_ = SourceState::running;
    Result<void> took;
    for (std::int64_t skip = started_ ? step : 1; skip > 0;) {
      took = video_->next();
      if ((!took && took.error().code == ErrorCode::not_found) ||
          (options_.to.count() > 0 && video_->position() >= options_.to)) {
        close();
        state_ = SourceState::ended;
        return ended();
      }
      if (video_->position() >= skip_to_) --skip;
    }
    started_ = true;
    if (!took) return tl::unexpected(took.error());
    auto image = video_->picture();
    if (!image) return tl::unexpected(image.error());
    return Frame{std::move(*image), MonoTime{} + video_->position(), number_++};
  }

  void close() override { video_.reset(); }
  SourceState state() const override { return state_; }

 private:
  ClipOptions options_;
  std::optional<Video> video_;
  microseconds skip_to_{0};  // what comes before it is not asked for
  std::uint64_t number_ = 0;
  bool started_ = false;
  SourceState state_ = SourceState::closed;
};

// The pictures of a folder in the order of their names, 5 a second.
class FolderSource final : public FrameSource {
 public:
  explicit FolderSource(const std::filesystem::path& folder) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.is_regular_file(error)) files_.push_back(entry.path());
    }
    std::sort(files_.begin(), files_.end());
  }

  Result<Frame> next(milliseconds /*patience*/) override {
    if (next_ == files_.size()) return fail(ErrorCode::not_found, "folder: no more pictures");
    const std::size_t index = next_++;
    auto image = Image::load(files_[index]);
    if (!image) return tl::unexpected(image.error());
    return Frame{std::move(*image),
                 MonoTime{} + static_cast<std::int64_t>(index) * milliseconds(200), index};
  }

  void close() override {}
  SourceState state() const override {
    return next_ == files_.size() ? SourceState::ended : SourceState::running;
  }

 private:
  std::vector<std::filesystem::path> files_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<FrameSource> make_file_source(FileSourceOptions options) {
  return std::make_unique<FileSource>(std::move(options));
}

std::unique_ptr<FrameSource> make_clip_source(ClipOptions options) {
  std::error_code error;
  if (std::filesystem::is_directory(options.file, error)) {
    return std::make_unique<FolderSource>(options.file);
  }
  return std::make_unique<ClipSource>(std::move(options));
}

}  // namespace welcome::vision
