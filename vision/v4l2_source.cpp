// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <optional>
#include <poll.h>
#include <span>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "vision/frame_source.h"
#include "vision/raw_pixels.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

class Mapping {
 public:
  Mapping(int fd, const v4l2_buffer& buffer)
      : data_(::mmap(nullptr, buffer.length, PROT_READ, MAP_SHARED, fd, buffer.m.offset)),
        size_(buffer.length) {}
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, MAP_FAILED)), size_(other.size_) {}
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping() {
    if (data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  bool ok() const { return data_ != MAP_FAILED; }
  std::span<const std::uint8_t> bytes() const {
    return {static_cast<const std::uint8_t*>(data_), size_};
  }

 private:
  void* data_;
  std::size_t size_;
};

int control(int fd, unsigned long request, void* argument) {
  int result = 0;
  do {
    result = ::ioctl(fd, request, argument);
  } while (result < 0 && errno == EINTR);
  return result;
}

class V4l2Source final : public FrameSource {
 public:
  explicit V4l2Source(V4l2Options options) : options_(std::move(options)) {}
  ~V4l2Source() override { close(); }

  Result<Frame> next(milliseconds patience) override {
    if (!device_.open()) {
      if (const auto opened = open(); !opened) {
        close();
        state_ = SourceState::failed;
        return tl::unexpected(opened.error());
      }
    }
    pollfd ready{device_.get(), POLLIN, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(patience.count()));
    if (count < 0 && errno == EINTR) return fail(ErrorCode::unavailable, "interrupted");
    if (count == 0) {
      // A camera that gives nothing for a while is opened again: some stall for good.
      quiet_ += patience;
      if (quiet_ >= kStalledAfter) {
        close();
        state_ = SourceState::stalled;
        stale_ = true;
      }
      return fail(ErrorCode::unavailable, "no picture yet");
    }
    if (count < 0 || (ready.revents & POLLIN) == 0) return lost("the device is gone");

    std::optional<v4l2_buffer> newest;
    while (auto buffer = take()) {
      if (newest) give_back(*newest);
      newest = buffer;
    }
    if (!newest) {
      if (errno == EAGAIN) return fail(ErrorCode::unavailable, "no picture yet");
      return lost("the device is gone");
    }
    if (std::exchange(stale_, false)) {
      // What it held when it stalled is no sign of life.
      give_back(*newest);
      return fail(ErrorCode::unavailable, "no picture yet");
    }
    quiet_ = milliseconds(0);
    state_ = SourceState::running;
    auto image = convert(*newest);
    const std::uint64_t number = newest->sequence;
    give_back(*newest);
    if (!image) return tl::unexpected(image.error());
    return Frame{std::move(*image), options_.clock(), number};
  }

  void close() override {
    if (device_.open()) {
      int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      control(device_.get(), VIDIOC_STREAMOFF, &type);
    }
    buffers_.clear();
    device_ = Descriptor();
    quiet_ = milliseconds(0);
    state_ = SourceState::closed;
  }

  SourceState state() const override { return state_; }

 private:
  static constexpr milliseconds kStalledAfter{2000};

  Result<void> open() {
    device_ = Descriptor(::open(options_.device.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!device_.open()) return fail(ErrorCode::unavailable, why_not(errno));
    v4l2_capability capability{};
    if (control(device_.get(), VIDIOC_QUERYCAP, &capability) < 0 ||
        (capability.device_caps & V4L2_CAP_VIDEO_CAPTURE) == 0 ||
        (capability.device_caps & V4L2_CAP_STREAMING) == 0) {
      return fail(ErrorCode::refused, "this device gives no pictures");
    }
    if (auto set = negotiate(); !set) return set;
    return start();
  }

  static std::string why_not(int error) {
    switch (error) {
      case ENOENT:
      case ENODEV:
      case ENXIO:
        return "there is no such device";
      case EACCES:
      case EPERM:
        return "access to the device is refused";
      case EBUSY:
        return "another program uses the device";
      default:
        return "the device cannot be opened (error " + std::to_string(error) + ")";
    }
  }

  // MJPEG first where raw pictures would not fit through USB 2, raw ones first where they do.
  Result<void> negotiate() {
    const bool large = options_.width * options_.height > 640 * 480;
    std::vector<std::uint32_t> wanted(raw_formats().begin(), raw_formats().end());
    wanted.insert(large ? wanted.begin() : wanted.end(), V4L2_PIX_FMT_MJPEG);
    for (const std::uint32_t pixels : wanted) {
      format_ = v4l2_format{};
      format_.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      format_.fmt.pix.width = static_cast<std::uint32_t>(options_.width);
      format_.fmt.pix.height = static_cast<std::uint32_t>(options_.height);
      format_.fmt.pix.pixelformat = pixels;
      format_.fmt.pix.field = V4L2_FIELD_ANY;
      if (control(device_.get(), VIDIOC_S_FMT, &format_) == 0 &&
          format_.fmt.pix.pixelformat == pixels) {
        v4l2_streamparm rate{};
        rate.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        rate.parm.capture.timeperframe = {1, static_cast<std::uint32_t>(options_.fps)};
        control(device_.get(), VIDIOC_S_PARM, &rate);  // a wish; the driver may differ
        return {};
      }
      if (errno == EBUSY) return fail(ErrorCode::unavailable, why_not(EBUSY));
    }
    return fail(ErrorCode::refused,
                "it gives only pictures that cannot be decoded (" + offered() + ")");
  }

  // The four letters of each format that the device has.
  std::string offered() const {
    std::string all;
    for (std::uint32_t i = 0; i < 32; ++i) {
      v4l2_fmtdesc about{};
      about.index = i;
      about.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      if (control(device_.get(), VIDIOC_ENUM_FMT, &about) < 0) break;
      if (!all.empty()) all += ' ';
      for (unsigned shift = 0; shift < 32; shift += 8) {
        const auto letter = static_cast<char>((about.pixelformat >> shift) & 0x7FU);
        all += letter >= ' ' && letter < 0x7F ? letter : '?';
      }
    }
    return all.empty() ? "none" : all;
  }

  Result<void> start() {
    v4l2_requestbuffers request{};
    request.count = 4;
    request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    request.memory = V4L2_MEMORY_MMAP;
    if (control(device_.get(), VIDIOC_REQBUFS, &request) < 0 || request.count < 2) {
      return fail(ErrorCode::unavailable, "no buffers");
    }
    for (std::uint32_t i = 0; i < request.count; ++i) {
      v4l2_buffer buffer{};
      buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      buffer.memory = V4L2_MEMORY_MMAP;
      buffer.index = i;
      if (control(device_.get(), VIDIOC_QUERYBUF, &buffer) < 0) {
        return fail(ErrorCode::unavailable, "no buffers");
      }
      buffers_.emplace_back(device_.get(), buffer);
      if (!buffers_.back().ok() || control(device_.get(), VIDIOC_QBUF, &buffer) < 0) {
        return fail(ErrorCode::unavailable, "no buffers");
      }
    }
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (control(device_.get(), VIDIOC_STREAMON, &type) < 0) {
      return fail(ErrorCode::unavailable, "does not start");
    }
    return {};
  }

  std::optional<v4l2_buffer> take() {
    v4l2_buffer buffer{};
    buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer.memory = V4L2_MEMORY_MMAP;
    if (control(device_.get(), VIDIOC_DQBUF, &buffer) < 0) return std::nullopt;
    return buffer;
  }

  void give_back(v4l2_buffer buffer) { control(device_.get(), VIDIOC_QBUF, &buffer); }

  tl::unexpected<Error> lost(const char* why) {
    close();
    state_ = SourceState::failed;
    return fail(ErrorCode::unavailable, why);
  }

  Result<Image> convert(const v4l2_buffer& buffer) const {
    const auto bad = [] { return fail(ErrorCode::malformed, "a damaged picture"); };
    if (buffer.index >= buffers_.size() || (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0) return bad();
    const auto bytes = buffers_[buffer.index].bytes();
    const auto used = bytes.first(std::min<std::size_t>(buffer.bytesused, bytes.size()));
    if (format_.fmt.pix.pixelformat == V4L2_PIX_FMT_MJPEG) return Image::decode(used);
    return image_from_raw(format_.fmt.pix.pixelformat, used,
                          static_cast<int>(format_.fmt.pix.width),
                          static_cast<int>(format_.fmt.pix.height), format_.fmt.pix.bytesperline);
  }

  V4l2Options options_;
  Descriptor device_;
  v4l2_format format_{};
  std::vector<Mapping> buffers_;
  milliseconds quiet_{0};
  bool stale_ = false;  // the next picture may be one from before a stall
  SourceState state_ = SourceState::closed;
};

}  // namespace

std::unique_ptr<FrameSource> make_v4l2_source(V4l2Options options) {
  return std::make_unique<V4l2Source>(std::move(options));
}

}  // namespace welcome::vision
