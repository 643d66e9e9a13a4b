#pragma once
// CameraWorker: one camera, from frames to FaceMatch. Owns two threads: one captures into a
// mailbox that holds the newest frame only, one detects, tracks, embeds and matches. Asleep it
// decodes nothing. All public functions may be called from any thread; the sink is called from the
// worker's thread and must not block.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "vision/enrolment.h"
#include "vision/face_match.h"
#include "vision/frame_source.h"
#include "vision/gallery.h"
#include "vision/recogniser.h"

namespace welcome::vision {

struct CameraCounters {
  std::uint64_t frames = 0;          // captured (decoded)
  std::uint64_t frames_dropped = 0;  // replaced in the mailbox by a newer one
  std::uint64_t frames_analysed = 0;
  std::uint64_t frames_bad = 0;       // could not be decoded or analysed
  std::uint64_t faces_seen = 0;       // tracks that began
  std::uint64_t faces_discarded = 0;  // tracks that ended without a match; counted once each
  std::uint64_t faces_embedded = 0;
  std::uint64_t matches = 0;
  std::uint64_t wakes = 0;
};

struct CameraStatus {
  bool awake = false;
  SourceState source = SourceState::closed;
  CameraCounters counters;
};

struct CameraOptions {
  std::string name = "camera-0";
  int agreeing_views = 2;  // embeddings that must agree before a FaceMatch
  float min_face_px = 45;  // smaller faces are not matched
};

class CameraWorker {
 public:
  using Sink = std::function<void(FaceMatch)>;

  // Starts its threads asleep. The recogniser is used by this worker alone.
  CameraWorker(CameraOptions options, std::unique_ptr<FrameSource> source,
               std::unique_ptr<Recogniser> recogniser, Sink sink);
  ~CameraWorker();  // stops and joins; a match in progress may still reach the sink before it ends

  CameraWorker(const CameraWorker&) = delete;
  CameraWorker& operator=(const CameraWorker&) = delete;

  void wake();
  void sleep();  // the source is closed, every track is forgotten (and counted)

  // Takes effect with the next face that is matched; tracks start their agreement anew.
  void set_gallery(std::shared_ptr<const Gallery> gallery);

  CameraStatus status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::vision
