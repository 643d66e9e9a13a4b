// SPDX-License-Identifier: Apache-2.0
#pragma once
// FaceTracker: which detection of this frame is whose of the last one. Boxes only, no pixels; pure,
// driven by the frames' time stamps. Not thread-safe.

#include <cstdint>
#include <memory>
#include <vector>

#include "core/time.h"
#include "vision/recogniser.h"

namespace welcome::vision {

struct FaceTrackerOptions {
  std::chrono::milliseconds lost_after{1000};
  // For a face that the last frame still had: how long the camera may be silent, and how long a
  // slow machine may pass over frames that came. It has lost nobody by looking rarely.
  std::chrono::milliseconds between_frames{3000};
  std::chrono::milliseconds slowest{20000};
  int min_hits = 2;  // a face that flashes up in one frame only is no track
};

class FaceTracker {
 public:
  struct Sight {
    std::uint64_t track;
    std::size_t detection;  // index into what update() was given
    Box box;                // smoothed
    bool fresh;             // this sight made it a track
  };

  explicit FaceTracker(FaceTrackerOptions options = {});
  ~FaceTracker();
  FaceTracker(FaceTracker&&) noexcept;
  FaceTracker& operator=(FaceTracker&&) noexcept;

  // Sights of tracks that have reached min_hits. Optimal assignment by overlap of the predicted
  // box with the detection (dlib's rect_filter and max_cost_assignment).
  // `passed_over`: how many frames came since the last call and were not looked at.
  std::vector<Sight> update(const std::vector<Detection>& detections, MonoTime at,
                            std::uint64_t passed_over = 0);

  // Tracks (that had reached min_hits) which ended since the last call.
  std::vector<std::uint64_t> take_ended();

  // Nobody is being followed, not even for a frame.
  bool empty() const;

  // Ends every track now.
  void clear();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::vision
