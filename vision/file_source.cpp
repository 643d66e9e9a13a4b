#include <algorithm>
#include <opencv2/videoio.hpp>
#include <thread>

#include "vision/frame_source.h"

namespace welcome::vision {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// Opens a recording with FFmpeg only, so that a name can never select a device or a URL scheme.
bool open_video(cv::VideoCapture& video, const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return false;
  try {
    return video.open(std::filesystem::absolute(file).string(), cv::CAP_FFMPEG);
  } catch (const cv::Exception&) {
    return false;
  }
}

microseconds frame_length(const cv::VideoCapture& video) {
  const double fps = video.get(cv::CAP_PROP_FPS);
  return microseconds(static_cast<std::int64_t>(1e6 / (fps > 0.1 && fps < 1000 ? fps : 25.0)));
}

bool grab(cv::VideoCapture& video) {
  try {
    return video.grab();
  } catch (const cv::Exception&) {
    return false;
  }
}

Result<Image> retrieve(cv::VideoCapture& video) {
  try {
    cv::Mat pixels;
    // The decoder reuses its buffer, the picture outlives the next grab: so it is copied.
    if (video.retrieve(pixels) && !pixels.empty()) return Image(pixels.clone());
  } catch (const cv::Exception&) {
  }
  return fail(ErrorCode::malformed, "recording: a frame cannot be decoded");
}

class FileSource final : public FrameSource {
 public:
  explicit FileSource(FileSourceOptions options) : options_(std::move(options)) {}

  Result<Frame> next(milliseconds patience) override {
    if (state_ == SourceState::ended) return ended();
    if (!video_.isOpened()) {
      if (!open_video(video_, options_.file)) {
        state_ = SourceState::failed;
        return fail(ErrorCode::unavailable, "recording: cannot be opened");
      }
      length_ = frame_length(video_);
      grabbed_ = -1;
    }
    const microseconds step =
        options_.max_fps > 0
            ? std::max(length_, microseconds(static_cast<std::int64_t>(1e6 / options_.max_fps)))
            : length_;
    // Wait for the story to reach the next frame. The story clock may be faster than the world's,
    // so this looks again and again instead of computing how long to sleep.
    const auto give_up = std::chrono::steady_clock::now() + patience;
    microseconds position = options_.position();
    while (position < last_given_ + step || position.count() < 0) {
      if (std::chrono::steady_clock::now() >= give_up) {
        return fail(ErrorCode::unavailable, "recording: no new frame yet");
      }
      std::this_thread::sleep_for(milliseconds(2));
      position = options_.position();
    }
    const std::int64_t wanted = position / length_;
    constexpr std::int64_t kSeekFrames = 50;
    if (grabbed_ >= wanted) grabbed_ = -1;  // the story went back
    if (grabbed_ < 0 || wanted - grabbed_ > kSeekFrames) {
      if (wanted > 0) video_.set(cv::CAP_PROP_POS_FRAMES, static_cast<double>(wanted));
      grabbed_ = wanted - 1;
    }
    while (grabbed_ < wanted) {
      if (!grab(video_)) {
        close();
        state_ = SourceState::ended;
        return ended();
      }
      ++grabbed_;
    }
    last_given_ = position;
    state_ = SourceState::running;
    auto image = retrieve(video_);
    if (!image) return tl::unexpected(image.error());
    return Frame{std::move(*image), options_.clock(), static_cast<std::uint64_t>(wanted)};
  }

  void close() override {
    video_.release();
    last_given_ = microseconds::min() / 2;
    if (state_ != SourceState::ended) state_ = SourceState::closed;
  }

  SourceState state() const override { return state_; }

 private:
  static tl::unexpected<Error> ended() {
    return fail(ErrorCode::not_found, "recording: it has ended");
  }

  FileSourceOptions options_;
  cv::VideoCapture video_;
  microseconds length_{40000};
  microseconds last_given_ = microseconds::min() / 2;
  std::int64_t grabbed_ = -1;  // index of the last frame taken from the decoder
  SourceState state_ = SourceState::closed;
};

class ClipSource final : public FrameSource {
 public:
  explicit ClipSource(ClipOptions options) : options_(std::move(options)) {}

  Result<Frame> next(milliseconds /*patience*/) override {
    if (state_ == SourceState::ended) return ended();
    if (!video_.isOpened()) {
      if (!open_video(video_, options_.file)) {
        state_ = SourceState::failed;
        return fail(ErrorCode::unavailable, "clip: cannot be opened");
      }
      length_ = frame_length(video_);
      index_ = options_.from / length_;
      if (index_ > 0) video_.set(cv::CAP_PROP_POS_FRAMES, static_cast<double>(index_));
    }
    const auto step =
        options_.max_fps > 0
            ? std::max<std::int64_t>(
                  1, static_cast<std::int64_t>(1e6 / options_.max_fps) / length_.count())
            : 1;
    for (std::int64_t skip = started_ ? step : 1; skip > 0; --skip) {
      if ((options_.to.count() > 0 && index_ * length_ >= options_.to) || !grab(video_)) {
        close();
        state_ = SourceState::ended;
        return ended();
      }
      ++index_;
    }
    started_ = true;
    state_ = SourceState::running;
    auto image = retrieve(video_);
    if (!image) return tl::unexpected(image.error());
    return Frame{std::move(*image), MonoTime{} + (index_ - 1) * length_, number_++};
  }

  void close() override { video_.release(); }
  SourceState state() const override { return state_; }

 private:
  static tl::unexpected<Error> ended() { return fail(ErrorCode::not_found, "clip: it has ended"); }

  ClipOptions options_;
  cv::VideoCapture video_;
  microseconds length_{40000};
  std::int64_t index_ = 0;  // frames taken from the decoder
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
