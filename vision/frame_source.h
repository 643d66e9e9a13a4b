// SPDX-License-Identifier: Apache-2.0
#pragma once
// FrameSource: where pictures come from. Used by one thread: the camera's capture thread.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "core/time.h"
#include "vision/image.h"

namespace welcome::vision {

struct Frame {
  Image image;
  MonoTime at;               // when it was taken
  std::uint64_t number = 0;  // counts up; gaps are frames that were dropped
};

enum class SourceState : std::uint8_t { closed, running, stalled, ended, failed };

class FrameSource {
 public:
  virtual ~FrameSource() = default;

  // The newest frame; waits for at most `patience`. Every frame is whole, upright, and of the size
  // that the camera or the recording has at that moment. `malformed`: the picture arrived damaged;
  // `not_found`: the stream has ended; whatever else: nothing came, and the message says why, for a
  // person (no address, no name of a file). With state() `failed` there is nothing to wait for.
  virtual Result<Frame> next(std::chrono::milliseconds patience) = 0;

  // Gives the device or decoder back; next() opens it again.
  virtual void close() = 0;

  virtual SourceState state() const = 0;
};

// The clock of the program, given from outside; called from the camera's threads.
using Clock = std::function<MonoTime()>;

// A recording, paced by `position`: how far into the recording the story is now. Frames that are
// late are skipped, so a source that was closed or restarted goes on at the current position.
// `position` past the last frame is the end of the stream.
struct FileSourceOptions {
  std::filesystem::path file;
  std::function<std::chrono::microseconds()> position;
  Clock clock;         // stamps the frames
  double max_fps = 0;  // 0: as recorded
};
std::unique_ptr<FrameSource> make_file_source(FileSourceOptions options);

// A file that is open, closed with its last owner.
using OpenFile = std::shared_ptr<const int>;

// The same recording as fast as it decodes, every frame (enrolment from a clip, evaluation).
// Frames are stamped with their position after MonoTime{}. `from`/`to` in the recording; to = 0:
// until its end. Also takes a folder of pictures, in the order of their names, 5 a second.
struct ClipOptions {
  std::filesystem::path file;
  std::chrono::milliseconds from{0};
  std::chrono::milliseconds to{0};
  double max_fps = 0;
  OpenFile opened = nullptr;  // the clip itself, instead of its name
};
std::unique_ptr<FrameSource> make_clip_source(ClipOptions options);

// A camera of the kernel: "/dev/video0". MJPEG is preferred above 640×480, raw pictures below.
struct V4l2Options {
  std::string device = "/dev/video0";
  int width = 1280;
  int height = 720;
  int fps = 15;
  Clock clock;
};
std::unique_ptr<FrameSource> make_v4l2_source(V4l2Options options);

// A camera of the network: "rtsp://…" or "rtsps://…" (the address may hold a password: never log
// it). A broken stream is `failed` until a later next() opens it again.
struct RtspOptions {
  std::string url;
  double max_fps = 0;  // 0: every picture; what comes faster is decoded and thrown away
  Clock clock;
};
std::unique_ptr<FrameSource> make_rtsp_source(RtspOptions options);

}  // namespace welcome::vision
