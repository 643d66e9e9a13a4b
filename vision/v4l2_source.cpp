// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <linux/videodev2.h>
#include <optional>
#include <poll.h>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vision/frame_source.h"
#include "vision/raw_pixels.h"
#include "vision/v4l2_device.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;

bool same_pictures(const v4l2_pix_format& a, const v4l2_pix_format& b) {
  return a.width == b.width && a.height == b.height && a.pixelformat == b.pixelformat &&
         a.bytesperline == b.bytesperline;
}

class V4l2Source final : public FrameSource {
 public:
  V4l2Source(V4l2Options options, OpenV4l2Device open)
      : options_(std::move(options)), open_device_(std::move(open)) {}
  ~V4l2Source() override { close(); }

  Result<Frame> next(milliseconds patience) override {
    if (!device_) {
      if (const auto opened = open(); !opened) {
        close();
        state_ = SourceState::failed;
        return tl::unexpected(opened.error());
      }
    }
    const short came = device_->wait(patience);
    if (came == 0) return nothing_for(patience);
    const Events events = (came & POLLPRI) != 0 ? take_events() : Events{};
    if (events.new_size) return begin_anew();
    if ((came & POLLIN) == 0) {
      // A device that was pulled out shows every sign there is, and has no event.
      const bool gone = (came & (POLLERR | POLLHUP | POLLNVAL)) != 0 || events.count == 0;
      return gone ? lost("the device is gone") : fail(ErrorCode::unavailable, "no picture yet");
    }

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
    if (!fits(*newest)) return begin_anew();
    state_ = SourceState::running;
    auto image = convert(*newest);
    const std::uint64_t number = newest->sequence;
    give_back(*newest);
    if (!image) return tl::unexpected(image.error());
    changes_ = 0;
    return Frame{std::move(*image), options_.clock(), number};
  }

  void close() override {
    if (device_) {
      int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      device_->control(VIDIOC_STREAMOFF, &type);
    }
    buffers_.clear();
    device_.reset();
    quiet_ = milliseconds(0);
    state_ = SourceState::closed;
  }

  SourceState state() const override { return state_; }

 private:
  static constexpr milliseconds kStalledAfter{2000};
  static constexpr int kMostChanges = 3;

  Result<void> open() {
    auto device = open_device_(options_.device);
    if (!device) return tl::unexpected(device.error());
    device_ = std::move(*device);
    v4l2_capability capability{};
    if (device_->control(VIDIOC_QUERYCAP, &capability) < 0 ||
        (capability.device_caps & V4L2_CAP_VIDEO_CAPTURE) == 0 ||
        (capability.device_caps & V4L2_CAP_STREAMING) == 0) {
      return fail(ErrorCode::refused, "this device gives no pictures");
    }
    // Those that never change, which are most, do not know these.
    v4l2_event_subscription wanted{};
    wanted.type = V4L2_EVENT_SOURCE_CHANGE;
    device_->control(VIDIOC_SUBSCRIBE_EVENT, &wanted);
    // A camera behind a cable of its own (HDMI): the bridge takes the size that the cable brings.
    v4l2_dv_timings timings{};
    if (device_->control(VIDIOC_QUERY_DV_TIMINGS, &timings) == 0) {
      device_->control(VIDIOC_S_DV_TIMINGS, &timings);
    }
    if (auto set = negotiate(); !set) return set;
    return start();
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
      if (device_->control(VIDIOC_S_FMT, &format_) == 0 && format_.fmt.pix.pixelformat == pixels) {
        v4l2_streamparm rate{};
        rate.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
        rate.parm.capture.timeperframe = {1, static_cast<std::uint32_t>(options_.fps)};
        device_->control(VIDIOC_S_PARM, &rate);  // a wish; the driver may differ
        return {};
      }
      if (errno == EBUSY) return fail(ErrorCode::unavailable, "another program uses the device");
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
      if (device_->control(VIDIOC_ENUM_FMT, &about) < 0) break;
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
    if (device_->control(VIDIOC_REQBUFS, &request) < 0 || request.count < 2) {
      return fail(ErrorCode::unavailable, "no buffers");
    }
    for (std::uint32_t i = 0; i < request.count; ++i) {
      v4l2_buffer buffer{};
      buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
      buffer.memory = V4L2_MEMORY_MMAP;
      buffer.index = i;
      if (device_->control(VIDIOC_QUERYBUF, &buffer) < 0) {
        return fail(ErrorCode::unavailable, "no buffers");
      }
      buffers_.push_back(device_->map(buffer));
      if (buffers_.back().empty() || device_->control(VIDIOC_QBUF, &buffer) < 0) {
        return fail(ErrorCode::unavailable, "no buffers");
      }
    }
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (device_->control(VIDIOC_STREAMON, &type) < 0) {
      return fail(ErrorCode::unavailable, "does not start");
    }
    return {};
  }

  std::optional<v4l2_buffer> take() {
    v4l2_buffer buffer{};
    buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer.memory = V4L2_MEMORY_MMAP;
    if (device_->control(VIDIOC_DQBUF, &buffer) < 0) return std::nullopt;
    return buffer;
  }

  void give_back(v4l2_buffer buffer) { device_->control(VIDIOC_QBUF, &buffer); }

  struct Events {
    int count = 0;
    bool new_size = false;
  };
  Events take_events() {
    Events events;
    for (v4l2_event event{}; device_->control(VIDIOC_DQEVENT, &event) == 0; event = {}) {
      ++events.count;
      events.new_size |= event.type == V4L2_EVENT_SOURCE_CHANGE &&
                         (event.u.src_change.changes & V4L2_EVENT_SRC_CH_RESOLUTION) != 0;
    }
    return events;
  }

  // Whether what the driver gives is still what was agreed on. Most drivers keep to it while they
  // stream; one that does not would have its lines read at the wrong length.
  bool fits(const v4l2_buffer& buffer) {
    v4l2_format now{};
    now.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (device_->control(VIDIOC_G_FMT, &now) == 0 && !same_pictures(now.fmt.pix, format_.fmt.pix)) {
      return false;
    }
    return format_.fmt.pix.sizeimage == 0 || buffer.bytesused <= format_.fmt.pix.sizeimage;
  }

  // Pictures have another size from now on: nothing of those before counts. Some drivers say so
  // twice for one change; one that goes on without a picture in between is left alone for a while.
  tl::unexpected<Error> begin_anew() {
    if (++changes_ > kMostChanges) return lost("its pictures change in size all the time");
    close();
    return fail(ErrorCode::unavailable, "its pictures change in size");
  }

  tl::unexpected<Error> nothing_for(milliseconds patience) {
    // A camera that gives nothing for a while is opened again: some stall for good.
    quiet_ += patience;
    if (quiet_ >= kStalledAfter) {
      close();
      state_ = SourceState::stalled;
      stale_ = true;
    }
    return fail(ErrorCode::unavailable, "no picture yet");
  }

  tl::unexpected<Error> lost(const char* why) {
    close();
    state_ = SourceState::failed;
    return fail(ErrorCode::unavailable, why);
  }

  Result<Image> convert(const v4l2_buffer& buffer) const {
    const auto bad = [] { return fail(ErrorCode::malformed, "a damaged picture"); };
    if (buffer.index >= buffers_.size() || (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0) return bad();
    const auto bytes = buffers_[buffer.index];
    const auto used = bytes.first(std::min<std::size_t>(buffer.bytesused, bytes.size()));
    if (format_.fmt.pix.pixelformat == V4L2_PIX_FMT_MJPEG) return Image::decode(used);
    return image_from_raw(format_.fmt.pix.pixelformat, used,
                          static_cast<int>(format_.fmt.pix.width),
                          static_cast<int>(format_.fmt.pix.height), format_.fmt.pix.bytesperline);
  }

  V4l2Options options_;
  OpenV4l2Device open_device_;
  std::unique_ptr<V4l2Device> device_;
  v4l2_format format_{};
  std::vector<std::span<const std::uint8_t>> buffers_;  // the device's
  milliseconds quiet_{0};
  int changes_ = 0;     // of the size, since the last picture
  bool stale_ = false;  // the next picture may be one from before a stall
  SourceState state_ = SourceState::closed;
};

}  // namespace

std::unique_ptr<FrameSource> make_v4l2_source(V4l2Options options, OpenV4l2Device open) {
  return std::make_unique<V4l2Source>(std::move(options), std::move(open));
}

std::unique_ptr<FrameSource> make_v4l2_source(V4l2Options options) {
  return make_v4l2_source(std::move(options), open_v4l2_device);
}

}  // namespace welcome::vision
