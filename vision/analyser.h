// SPDX-License-Identifier: Apache-2.0
#pragma once
// Analyser: from frames to matches, without threads or clocks. Detects in every frame, tracks, and
// embeds a track only when that can change the answer: first good view, better view, a second view
// to agree, or a refresh now and then. Not thread-safe.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "vision/face_match.h"
#include "vision/face_motion.h"
#include "vision/face_tracker.h"
#include "vision/frame_source.h"
#include "vision/gallery.h"
#include "vision/liveness.h"
#include "vision/picture_health.h"
#include "vision/quality.h"

namespace welcome::vision {

struct AnalyserOptions {
  int agreeing_views = 2;  // accepted views of one customer before a FaceMatch
  std::chrono::milliseconds between_views{100};
  std::chrono::milliseconds refresh{2000};  // how often a matched track is looked at again
  QualityLimits limits;
  bool require_liveness = false;  // no match before a track was judged to be a person
  bool far_faces = false;         // also look for small faces, in tiles where something moves
};

struct AnalyserCounters {
  std::uint64_t frames_analysed = 0;
  std::uint64_t faces_seen = 0;       // tracks that began
  std::uint64_t faces_matched = 0;    // tracks with at least one FaceMatch
  std::uint64_t faces_discarded = 0;  // tracks that ended without one; counted once each
  std::uint64_t faces_embedded = 0;
  std::uint64_t faces_not_live = 0;  // tracks that would have matched but look like a picture
  std::uint64_t faces_covered = 0;  // tracks that would have matched but for a mask, sunglasses, …
  std::uint64_t faces_upright = 0;  // tracks whose face was looked at and stands
  // Tracks whose face lies on its side or head, by how far the camera would have to be turned: 90,
  // 180 and 270 degrees clockwise. All of them and none upright: `camera.rotate` is wrong.
  std::array<std::uint64_t, 3> faces_turned{};
  std::uint64_t frames_still = 0;  // nobody there and nothing moved: not searched for faces
  std::uint64_t tiles = 0;         // searched for far faces
};

// By how many degrees clockwise a camera's pictures would have to be turned, if its faces say so
// with one voice: `camera.rotate`.
std::optional<int> turned_by(const AnalyserCounters& counters);

AnalyserCounters& operator+=(AnalyserCounters& sum, const AnalyserCounters& more);

class Analyser {
 public:
  Analyser(AnalyserOptions options, Recogniser& recogniser);

  // FaceMatches of this frame; a matched track is reported again at every refresh, as long as the
  // face moves now and then. With an empty gallery (or none) faces are tracked and counted, and
  // nothing is embedded. Where the picture as such is at fault, nobody is in it.
  std::vector<FaceMatch> analyse(const Frame& frame, const Gallery* gallery);

  // Ends all tracks (and counts them).
  void forget();

  const AnalyserCounters& counters() const { return counters_; }
  PictureFault picture() const { return picture_; }

  // For evaluation: called with every view that was compared.
  using Observer =
      std::function<void(std::uint64_t track, MonoTime, const Quality&, const GalleryMatch&)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

 private:
  // What is known of a face that is followed.
  struct Followed {
    bool ever_matched = false;
    FaceMotion motion;  // looked at from the first accepted view on
    // All that follows is of one gallery.
    bool matched = false;
    std::uint64_t generation = 0;
    CustomerId candidate;
    int agreeing = 0;
    float best_similarity = -1;
    float best_quality = 0;
    int views = 0;       // compared with it
    MonoTime looked_at;  // last time that landmarks were found
    MonoTime compared_at;
    LivenessVote liveness;
    bool refused = false;  // counted as not live
    bool covered = false;  // counted as covered
    enum class Stance : std::uint8_t { unknown, upright, turned } stance = Stance::unknown;
  };

  void watch_size(const Image& image);
  bool nothing_moves(const Frame& frame);
  std::vector<Detection> search(const Image& image);
  bool due(const Followed& track, MonoTime at) const;
  bool stands(Followed& track, const Frame& frame, const Face& face);
  bool is_uncovered(Followed& track, const Face& face);
  bool is_live(Followed& track, const Frame& frame, const Box& face);
  void count_ended();

  AnalyserOptions options_;
  Recogniser& recogniser_;
  FaceTracker tracker_;
  PictureHealth health_;
  PictureFault picture_ = PictureFault::none;
  MonoTime searched_at_;
  std::uint64_t number_ = 0;  // of the frame before
  int width_ = 0;             // …
  int height_ = 0;
  std::map<std::uint64_t, Followed> tracks_;
  std::vector<Box> seen_;  // faces of the frame before
  AnalyserCounters counters_;
  Observer observer_;
};

}  // namespace welcome::vision
