// SPDX-License-Identifier: Apache-2.0
#pragma once
// CameraWorker: one camera, from frames to FaceMatch. Owns two threads: one captures into a
// mailbox that holds the newest frame only, one analyses. Asleep it decodes nothing. All public
// functions may be called from any thread; the callbacks run on the analysing thread, must not
// block, and must not call back into the worker's destructor.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "vision/analyser.h"
#include "vision/camera_view.h"
#include "vision/enrolment.h"
#include "vision/face_match.h"
#include "vision/frame_source.h"
#include "vision/gallery.h"
#include "vision/recogniser.h"

namespace welcome::vision {

// What is wrong with a camera, or nothing.
enum class CameraHealth : std::uint8_t {
  asleep,
  starting,
  ok,
  gone,     // unplugged, switched off, or never there; it is tried again and again
  stalled,  // there, but gives no pictures
  garbled,  // what it gives cannot be decoded
  black,
  too_bright,
  frozen,
  ended,  // a recording is over
};
std::string_view to_string(CameraHealth health);

struct CameraStatus {
  bool awake = false;
  CameraHealth health = CameraHealth::asleep;
  SourceState source = SourceState::closed;
  std::string why;  // it gives no pictures, as the source said it last; empty while it does
  std::uint64_t wakes = 0;
  std::uint64_t failures = 0;        // tries to get pictures that ended without
  std::uint64_t frames = 0;          // captured (decoded)
  std::uint64_t frames_dropped = 0;  // replaced in the mailbox by a newer one
  std::uint64_t frames_bad = 0;      // could not be decoded
  PictureFault picture = PictureFault::none;
  AnalyserCounters analysis;         // faces_seen, faces_discarded, …
  std::optional<CameraView> view{};  // since look_over(): the picture with the most faces
};

// An enrolment in front of this camera. Ends with one call of `done`, or of none when it was
// stopped or replaced.
struct LiveEnrolment {
  FaceConsent consent;
  std::shared_ptr<const Gallery> everybody;
  EnrolmentOptions options;
  std::function<void(Guidance, int views)> guide;
  std::function<void(EnrolmentResult)> done;
};

class CameraWorker {
 public:
  using Sink = std::function<void(FaceMatch)>;

  // Starts its threads, asleep. `clock` is the one that stamps the frames.
  CameraWorker(AnalyserOptions options, std::unique_ptr<FrameSource> source,
               std::unique_ptr<Recogniser> recogniser, Clock clock, Sink sink);
  ~CameraWorker();  // stops and joins; no match is delivered after it

  CameraWorker(const CameraWorker&) = delete;
  CameraWorker& operator=(const CameraWorker&) = delete;

  void wake();
  // The source is closed, every track is ended and counted. No match is delivered for a frame
  // that was still being looked at.
  void sleep();

  // Takes effect at once: a match that was made with the gallery before is not delivered, and
  // tracks start their agreement again. Null or empty: faces are counted, nothing is embedded.
  void set_gallery(std::shared_ptr<const Gallery> gallery);

  // Awake until it is over, whoever is near; meanwhile nobody is recognised here. Takes the place
  // of one that is under way.
  void enrol(LiveEnrolment enrolment);
  void stop_enrolment();

  // From now on each picture is measured as well, for status().view; until
  // look_away(). Wakes nobody; nobody is recognised by it.
  void look_over();
  void look_away();

  CameraStatus status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::vision
