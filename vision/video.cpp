// SPDX-License-Identifier: Apache-2.0
#include "vision/video.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <fcntl.h>
#include <opencv2/core.hpp>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libswscale/swscale.h>
}

namespace welcome::vision {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::int64_t kMaxPixels = 40'000'000;  // 8K has 33 million
constexpr std::size_t kMaxBlock = std::size_t{1}
                                  << 28U;  // of memory, whatever a file claims to need
constexpr int kBufferBytes = 1 << 16;
// A damaged picture spoils those after it up to one that stands alone. Streams that never send
// such a picture refresh it bit by bit instead; by then all of it is new.
constexpr int kSpoilt = 300;
constexpr microseconds kJump = std::chrono::seconds(10);  // more than a pause: another recording
// Only these: others open further files or addresses that stand in the first one.
constexpr const char* kFormats =
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,mjpeg,asf,flv,ogg,ivf,mxf,dv,"
    "nut";

void quieten() {
  static const bool once = [] {
    av_log_set_level(AV_LOG_QUIET);  // it would name addresses, and say everything at every retry
    av_max_alloc(kMaxBlock);
    return true;
  }();
  (void)once;
}

// What a stream's other side said, for a person.
std::string answer(int error) {
  switch (error) {
    case AVERROR_HTTP_UNAUTHORIZED:
      return "it refuses account or password (401)";
    case AVERROR_HTTP_FORBIDDEN:
      return "it refuses this account (403)";
    case AVERROR_HTTP_NOT_FOUND:
      return "it has no such stream (404)";
    case AVERROR_HTTP_BAD_REQUEST:
    case AVERROR_HTTP_OTHER_4XX:
      return "it refuses the request (4xx)";
    case AVERROR_HTTP_SERVER_ERROR:
      return "it has an error of its own (5xx)";
    case AVERROR(ECONNREFUSED):
      return "nobody listens at its address";
    case AVERROR(EHOSTUNREACH):
    case AVERROR(ENETUNREACH):
      return "there is no way to its address";
    case AVERROR(ETIMEDOUT):
    case AVERROR_EXIT:
      return "no answer from its address";
    case AVERROR(EIO):
      return "its name is not known, or the line broke";
    default:
      return "what it answers is no stream";
  }
}

int quarter_turns(const std::int32_t* matrix) {
  const double degrees = av_display_rotation_get(matrix);  // counter-clockwise
  if (std::isnan(degrees)) return 0;
  return static_cast<int>(std::lround(-degrees / 90) % 4 + 4) % 4;
}

}  // namespace

struct Video::Impl {
  Impl() { quieten(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    sws_freeContext(scaler);
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&codec);
    avformat_close_input(&format);
    if (io != nullptr) av_freep(static_cast<void*>(&io->buffer));
    avio_context_free(&io);
  }

  Result<void> open_file();
  Result<void> open_stream(const std::string& url);
  Result<void> open_decoder();
  void watch_packet();
  Result<void> judge();
  int turns() const;
  std::int64_t first_stamp() const {
    return stream->start_time == AV_NOPTS_VALUE ? 0 : stream->start_time;
  }

  // Of a file: FFmpeg reads through these, so that no name and no scheme of a URL is opened.
  static int read(void* self, std::uint8_t* to, int most);
  static std::int64_t seek_in(void* self, std::int64_t to, int whence);
  static int late(void* self) { return steady_clock::now() > static_cast<Impl*>(self)->deadline; }

  OpenFile file;
  std::int64_t offset = 0;
  bool live = false;
  bool broken = false;
  milliseconds patience{0};
  steady_clock::time_point deadline = steady_clock::time_point::max();

  AVIOContext* io = nullptr;
  AVFormatContext* format = nullptr;
  AVStream* stream = nullptr;
  AVCodecContext* codec = nullptr;
  AVPacket* packet = nullptr;
  AVFrame* frame = nullptr;
  SwsContext* scaler = nullptr;

  microseconds length{40'000};
  microseconds position{0};
  microseconds shift{0};             // where recordings were joined, time begins again
  bool positioned = false;           // `position` is of a picture
  int spoilt = 0;                    // packets that may still build upon a damaged picture
  std::multiset<std::int64_t> torn;  // stamps of pictures that are damaged, and come out later
};

int Video::Impl::read(void* self, std::uint8_t* to, int most) {
  auto& impl = *static_cast<Impl*>(self);
  ssize_t got = 0;
  do {
    got = ::pread(*impl.file, to, static_cast<std::size_t>(most), impl.offset);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return AVERROR(errno);
  impl.offset += got;
  return got == 0 ? AVERROR_EOF : static_cast<int>(got);
}

std::int64_t Video::Impl::seek_in(void* self, std::int64_t to, int whence) {
  auto& impl = *static_cast<Impl*>(self);
  struct stat about {};
  if (::fstat(*impl.file, &about) != 0) return AVERROR(errno);
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return about.st_size;
    case SEEK_CUR:
      to += impl.offset;
      break;
    case SEEK_END:
      to += about.st_size;
      break;
    default:
      break;
  }
  if (to < 0) return AVERROR(EINVAL);
  return impl.offset = to;
}

Result<void> Video::Impl::open_file() {
  const auto no_video = [] { return fail(ErrorCode::refused, "not a video that can be read"); };
  struct stat about {};
  if (::fstat(*file, &about) != 0 || !S_ISREG(about.st_mode)) {
    return fail(ErrorCode::refused, "not a file");
  }
  if (about.st_size == 0) return fail(ErrorCode::refused, "the file is empty");
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  io = avio_alloc_context(buffer, kBufferBytes, 0, this, &read, nullptr, &seek_in);
  format = avformat_alloc_context();
  if (io == nullptr || format == nullptr) return no_video();
  format->pb = io;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "format_whitelist", kFormats, 0);
  av_dict_set(&options, "protocol_whitelist", "none", 0);
  const int opened = avformat_open_input(&format, nullptr, nullptr, &options);
  av_dict_free(&options);
  if (opened < 0) return no_video();
  // It decodes to find out: no picture larger than those that are wanted.
  std::vector<AVDictionary*> limits(format->nb_streams, nullptr);
  for (AVDictionary*& limit : limits) av_dict_set_int(&limit, "max_pixels", kMaxPixels, 0);
  const int found = avformat_find_stream_info(format, limits.data());
  for (AVDictionary*& limit : limits) av_dict_free(&limit);
  if (found < 0) return no_video();
  return open_decoder();
}

Result<void> Video::Impl::open_stream(const std::string& url) {
  if (!url.starts_with("rtsp://") && !url.starts_with("rtsps://")) {
    return fail(ErrorCode::refused, "no rtsp:// or rtsps:// address");
  }
  live = true;
  deadline = steady_clock::now() + patience;
  format = avformat_alloc_context();
  if (format == nullptr) return fail(ErrorCode::unavailable, "no memory");
  format->interrupt_callback = {&late, this};
  AVDictionary* options = nullptr;
  av_dict_set(&options, "rtsp_transport", "tcp", 0);
  av_dict_set(&options, "allowed_media_types", "video", 0);
  const int opened = avformat_open_input(&format, url.c_str(), nullptr, &options);
  av_dict_free(&options);
  // What was interrupted may end as any error.
  if (opened < 0)
    return fail(ErrorCode::unavailable, answer(late(this) != 0 ? AVERROR_EXIT : opened));
  return open_decoder();
}

Result<void> Video::Impl::open_decoder() {
  const int index = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (index < 0) {
    return fail(ErrorCode::refused,
                live ? "its stream has no pictures" : "there are no pictures in it");
  }
  for (unsigned i = 0; i < format->nb_streams; ++i) {
    format->streams[i]->discard = static_cast<int>(i) == index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  stream = format->streams[index];
  const AVCodecParameters& says = *stream->codecpar;
  // FFmpeg forgets the size of a file's pictures where none may be decoded.
  if (std::int64_t{says.width} * says.height > kMaxPixels || (!live && says.width <= 0)) {
    return fail(ErrorCode::refused,
                "its pictures cannot be decoded, or have more than 40 million pixels");
  }
  const AVCodec* decoder = avcodec_find_decoder(says.codec_id);
  codec = avcodec_alloc_context3(decoder);
  packet = av_packet_alloc();
  frame = av_frame_alloc();
  if (decoder == nullptr || codec == nullptr || packet == nullptr || frame == nullptr ||
      avcodec_parameters_to_context(codec, &says) < 0) {
    return fail(ErrorCode::refused, std::string("pictures of type ") +
                                        avcodec_get_name(says.codec_id) + " cannot be decoded");
  }
  codec->pkt_timebase = stream->time_base;
  codec->max_pixels = kMaxPixels;
  if (live) codec->flags |= AV_CODEC_FLAG_LOW_DELAY;
  // A JPEG that ends early is grey from there on, or the picture before, unless it must not be.
  if (says.codec_id == AV_CODEC_ID_MJPEG) codec->err_recognition = AV_EF_EXPLODE;
  if (avcodec_open2(codec, decoder, nullptr) < 0) {
    return fail(ErrorCode::refused, "its pictures cannot be decoded");
  }
  const AVRational rate = av_guess_frame_rate(format, stream, nullptr);
  const double fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
  if (fps > 0.1 && fps < 1000) length = microseconds(std::llround(1e6 / fps));
  return {};
}

Result<void> Video::Impl::judge() {
  bool whole = true;
  if (const auto found = torn.find(frame->pts); found != torn.end()) {
    torn.erase(found);
    whole = false;
  }
  if (frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0) {
    spoilt = kSpoilt;
    whole = false;
  }
  const std::int64_t stamp = frame->best_effort_timestamp;
  microseconds at = position + length;
  if (stamp != AV_NOPTS_VALUE) {
    at = microseconds(
        av_rescale_q(stamp - first_stamp(), stream->time_base, AVRational{1, 1'000'000}));
    if (positioned && (at + shift < position || at + shift > position + kJump)) {
      shift = position + length - at;
    }
    at += shift;
  } else if (!positioned) {
    at = microseconds(0);
  }
  position = at;
  positioned = true;
  if (!whole) return fail(ErrorCode::malformed, "a damaged picture");
  return {};
}

// In the order of decoding: whatever comes between a damaged picture and the next that stands alone
// builds upon it, though it may be shown before it.
void Video::Impl::watch_packet() {
  constexpr std::size_t kMost = 1000;  // of pictures that never come out
  if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0) {
    spoilt = kSpoilt;
  } else if ((packet->flags & AV_PKT_FLAG_KEY) != 0) {
    spoilt = 0;
  }
  if (spoilt == 0) return;
  --spoilt;
  torn.insert(packet->pts);
  if (torn.size() > kMost) torn.erase(torn.begin());
}

int Video::Impl::turns() const {
  if (const auto* side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
      side != nullptr && side->size >= 9 * sizeof(std::int32_t)) {
    return quarter_turns(reinterpret_cast<const std::int32_t*>(side->data));
  }
  std::size_t size = 0;
  const auto* matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (matrix == nullptr || size < 9 * sizeof(std::int32_t)) return 0;
  return quarter_turns(reinterpret_cast<const std::int32_t*>(matrix));
}

Result<Video> Video::open(const std::filesystem::path& file) {
  // O_NONBLOCK: a FIFO of that name must not hold us up.
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) {
    return fail(ErrorCode::unavailable, errno == ENOENT || errno == ENOTDIR
                                            ? "there is no such file"
                                            : "the file may not be read");
  }
  return open(OpenFile(new int(fd), [](const int* owned) {
    ::close(*owned);
    delete owned;
  }));
}

Result<Video> Video::open(OpenFile file) {
  auto impl = std::make_unique<Impl>();
  impl->file = std::move(file);
  if (auto opened = impl->open_file(); !opened) return tl::unexpected(opened.error());
  return Video(std::move(impl));
}

Result<Video> Video::connect(const std::string& url, milliseconds patience) {
  auto impl = std::make_unique<Impl>();
  impl->patience = patience;
  if (auto opened = impl->open_stream(url); !opened) return tl::unexpected(opened.error());
  return Video(std::move(impl));
}

Video::Video(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Video::Video(Video&&) noexcept = default;
Video& Video::operator=(Video&&) noexcept = default;
Video::~Video() = default;

Result<void> Video::next() {
  Impl& v = *impl_;
  const auto damaged = [&] {
    v.spoilt = kSpoilt;
    return fail(ErrorCode::malformed, "a damaged picture");
  };
  const auto give_up = steady_clock::now() + v.patience;
  for (;;) {
    const int got = avcodec_receive_frame(v.codec, v.frame);
    if (got == 0) return v.judge();
    if (got == AVERROR_EOF) return fail(ErrorCode::not_found, "it has ended");
    if (got != AVERROR(EAGAIN)) return damaged();
    if (v.live) {
      // Not in the middle of a packet: what follows it could not be understood any more.
      if (steady_clock::now() > give_up) {
        return fail(ErrorCode::unavailable, "no picture that stands alone yet");
      }
      v.deadline = steady_clock::now() + v.patience;
    }
    const int read = av_read_frame(v.format, v.packet);
    if (read < 0 && v.live) {
      v.broken = true;
      return fail(ErrorCode::unavailable,
                  read == AVERROR_EXIT ? "it sends nothing any more" : "the stream broke off");
    }
    // The end of a file, also of one that was cut off: what the decoder still holds comes out.
    const bool ours = read < 0 || v.packet->stream_index == v.stream->index;
    if (read >= 0 && ours) v.watch_packet();
    const int sent = ours ? avcodec_send_packet(v.codec, read < 0 ? nullptr : v.packet) : 0;
    av_packet_unref(v.packet);
    if (sent < 0 && sent != AVERROR(EAGAIN) && sent != AVERROR_EOF) return damaged();
  }
}

Result<Image> Video::picture() {
  Impl& v = *impl_;
  const AVFrame& frame = *v.frame;
  if (frame.width <= 0 || frame.height <= 0) return fail(ErrorCode::malformed, "no picture");
  int width = frame.width;
  int height = frame.height;
  const AVRational pixel = av_guess_sample_aspect_ratio(v.format, v.stream, v.frame);
  const double shape = pixel.num > 0 && pixel.den > 0 ? av_q2d(pixel) : 1;
  if (shape > 1 && shape < 4) width = static_cast<int>(std::lround(width * shape));
  if (shape < 1 && shape > 0.25) height = static_cast<int>(std::lround(height / shape));
  if (std::int64_t{width} * height > kMaxPixels) {
    return fail(ErrorCode::refused, "its pictures have more than 40 million pixels");
  }
  v.scaler = sws_getCachedContext(v.scaler, frame.width, frame.height,
                                  static_cast<AVPixelFormat>(frame.format), width, height,
                                  AV_PIX_FMT_BGR24, SWS_BICUBIC, nullptr, nullptr, nullptr);
  if (v.scaler == nullptr) return fail(ErrorCode::malformed, "a picture of an unknown kind");
  // Vector instructions write beyond the end of a line.
  constexpr int kAlign = 64;
  cv::Mat padded(height, (width + 2 * kAlign - 1) / kAlign * kAlign, CV_8UC3);
  cv::Mat pixels = padded(cv::Rect(0, 0, width, height));
  const std::array<std::uint8_t*, 4> planes{pixels.data};
  const std::array<int, 4> strides{static_cast<int>(pixels.step)};
  if (sws_scale(v.scaler, frame.data, frame.linesize, 0, frame.height, planes.data(),
                strides.data()) != height) {
    return fail(ErrorCode::malformed, "a damaged picture");
  }
  if (const int turns = v.turns(); turns == 0) {
    pixels = pixels.clone();
  } else {
    constexpr std::array<cv::RotateFlags, 3> kTurn{cv::ROTATE_90_CLOCKWISE, cv::ROTATE_180,
                                                   cv::ROTATE_90_COUNTERCLOCKWISE};
    cv::Mat upright;
    cv::rotate(pixels, upright, kTurn[static_cast<std::size_t>(turns - 1)]);
    pixels = upright;
  }
  return Image(pixels);
}

microseconds Video::position() const { return impl_->position; }
microseconds Video::frame_length() const { return impl_->length; }
bool Video::alive() const { return !impl_->broken; }

void Video::seek(microseconds to) {
  Impl& v = *impl_;
  if (v.shift.count() != 0) return;  // a time of day that comes twice
  const std::int64_t stamp =
      v.first_stamp() + av_rescale_q(to.count(), AVRational{1, 1'000'000}, v.stream->time_base);
  if (av_seek_frame(v.format, v.stream->index, stamp, AVSEEK_FLAG_BACKWARD) < 0) return;
  avcodec_flush_buffers(v.codec);
  v.positioned = false;
  v.shift = microseconds(0);
  v.spoilt = 0;
  v.torn.clear();
}

}  // namespace welcome::vision
