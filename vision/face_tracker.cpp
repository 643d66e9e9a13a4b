// SPDX-License-Identifier: Apache-2.0
#include "vision/face_tracker.h"

#include <algorithm>
#include <cmath>
#include <dlib/filtering.h>
#include <dlib/optimization/max_cost_assignment.h>
#include <utility>

namespace welcome::vision {
namespace {

// Faces move smoothly and the detector jitters by a few pixels.
constexpr double kMeasurementNoise = 3.0;
constexpr double kAcceleration = 0.4;
constexpr double kMaxDeviation = 3.0;  // in units of the noise; a bigger jump is clipped
constexpr float kMinOverlap = 0.15F;

dlib::drectangle to_dlib(const Box& box) {
  return {static_cast<double>(box.x), static_cast<double>(box.y), static_cast<double>(box.right()),
          static_cast<double>(box.bottom())};
}

Box from_dlib(const dlib::drectangle& r) {
  return {static_cast<float>(r.left()), static_cast<float>(r.top()),
          static_cast<float>(r.right() - r.left()), static_cast<float>(r.bottom() - r.top())};
}

struct FaceTrack {
  std::uint64_t id;
  dlib::rect_filter filter;
  Box expected;
  MonoTime seen;
  int hits;
};

}  // namespace

struct FaceTracker::Impl {
  FaceTrackerOptions options;
  std::vector<FaceTrack> tracks;
  std::vector<std::uint64_t> ended;
  std::uint64_t next_id = 1;
  MonoTime last_frame{};

  // detection → index of its track, or −1.
  std::vector<long> assign(const std::vector<Detection>& detections) const {
    std::vector<long> result(detections.size(), -1);
    const auto n = static_cast<long>(std::max(detections.size(), tracks.size()));
    if (n == 0 || tracks.empty() || detections.empty()) return result;
    dlib::matrix<long> gain(n, n);
    gain = 0;
    for (std::size_t d = 0; d < detections.size(); ++d) {
      for (std::size_t t = 0; t < tracks.size(); ++t) {
        const float both = overlap(detections[d].box, tracks[t].expected);
        if (both >= kMinOverlap) {
          gain(static_cast<long>(d), static_cast<long>(t)) = std::lround(both * 1000);
        }
      }
    }
    const std::vector<long> best = dlib::max_cost_assignment(gain);
    for (std::size_t d = 0; d < detections.size(); ++d) {
      if (gain(static_cast<long>(d), best[d]) > 0) result[d] = best[d];
    }
    return result;
  }

  void drop(const FaceTrack& track) {
    if (track.hits >= options.min_hits) ended.push_back(track.id);
  }
};

FaceTracker::FaceTracker(FaceTrackerOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = options;
}
FaceTracker::~FaceTracker() = default;
FaceTracker::FaceTracker(FaceTracker&&) noexcept = default;
FaceTracker& FaceTracker::operator=(FaceTracker&&) noexcept = default;

std::vector<FaceTracker::Sight> FaceTracker::update(const std::vector<Detection>& detections,
                                                    MonoTime at, std::uint64_t passed_over) {
  const auto& options = impl_->options;
  const MonoTime::duration pause = at - impl_->last_frame;
  const auto frames = static_cast<MonoTime::duration::rep>(passed_over + 1);
  const bool unbroken = pause / frames <= options.between_frames && pause <= options.slowest;
  std::erase_if(impl_->tracks, [&](const FaceTrack& track) {
    const bool in_last_frame = track.seen == impl_->last_frame;
    if (in_last_frame ? unbroken : at - track.seen <= options.lost_after) return false;
    impl_->drop(track);
    return true;
  });
  impl_->last_frame = at;
  const std::vector<long> owner = impl_->assign(detections);
  std::vector<Sight> sights;
  for (std::size_t d = 0; d < detections.size(); ++d) {
    const dlib::drectangle measured = to_dlib(detections[d].box);
    FaceTrack* track = nullptr;
    if (owner[d] >= 0) {
      track = &impl_->tracks[static_cast<std::size_t>(owner[d])];
      track->expected = from_dlib(track->filter(measured));
      track->seen = at;
      ++track->hits;
    } else {
      impl_->tracks.push_back({impl_->next_id++,
                               dlib::rect_filter(kMeasurementNoise, kAcceleration, kMaxDeviation),
                               detections[d].box, at, 1});
      track = &impl_->tracks.back();
      track->filter(measured);
    }
    if (track->hits < impl_->options.min_hits) continue;
    sights.push_back({track->id, d, track->expected, track->hits == impl_->options.min_hits});
  }
  return sights;
}

std::vector<std::uint64_t> FaceTracker::take_ended() { return std::exchange(impl_->ended, {}); }

bool FaceTracker::empty() const { return impl_->tracks.empty(); }

void FaceTracker::clear() {
  for (const FaceTrack& track : impl_->tracks) impl_->drop(track);
  impl_->tracks.clear();
}

}  // namespace welcome::vision
