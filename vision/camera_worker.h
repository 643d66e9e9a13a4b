#pragma once
// CameraWorker: one camera, from frames to FaceMatch. Owns two threads: one captures into a
// mailbox that holds the newest frame only, one analyses. Asleep it decodes nothing. All public
// functions may be called from any thread; the sink is called from the analysing thread, must not
// block, and must not call back into the worker's destructor.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "vision/analyser.h"
#include "vision/face_match.h"
#include "vision/frame_source.h"
#include "vision/gallery.h"
#include "vision/recogniser.h"

namespace welcome::vision {

struct CameraStatus {
  bool awake = false;
  SourceState source = SourceState::closed;
  std::uint64_t wakes = 0;
  std::uint64_t frames = 0;          // captured (decoded)
  std::uint64_t frames_dropped = 0;  // replaced in the mailbox by a newer one
  std::uint64_t frames_bad = 0;      // could not be decoded
  PictureFault picture = PictureFault::none;
  AnalyserCounters analysis;  // faces_seen, faces_discarded, …
};

class CameraWorker {
 public:
  using Sink = std::function<void(FaceMatch)>;

  // Starts its threads, asleep.
  CameraWorker(AnalyserOptions options, std::unique_ptr<FrameSource> source,
               std::unique_ptr<Recogniser> recogniser, Sink sink);
  ~CameraWorker();  // stops and joins; no match is delivered after it

  CameraWorker(const CameraWorker&) = delete;
  CameraWorker& operator=(const CameraWorker&) = delete;

  void wake();
  // The source is closed, every track is ended and counted. No match is delivered for a frame
  // that was still being looked at.
  void sleep();

  // Takes effect at once: a match that was made with the gallery before is not delivered, and
  // tracks start their agreement anew. Null or empty: faces are counted, nothing is embedded.
  void set_gallery(std::shared_ptr<const Gallery> gallery);

  CameraStatus status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::vision
