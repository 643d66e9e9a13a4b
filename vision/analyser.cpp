// SPDX-License-Identifier: Apache-2.0
#include "vision/analyser.h"

#include <algorithm>
#include <utility>

namespace welcome::vision {
namespace {

// Views that match nobody: the wait doubles up to this, so that strangers cost little.
constexpr std::chrono::milliseconds kLongestWait{2000};
constexpr float kBetter = 1.15F;  // a view this much better is worth a comparison
// However still the picture is, it is searched this often.
constexpr std::chrono::milliseconds kSearchAnyway{1000};
// A face narrower than this share of the picture is lost to a search of the whole picture.
constexpr float kFarFace = 0.05F;

}  // namespace

std::optional<int> turned_by(const AnalyserCounters& counters) {
  constexpr std::uint64_t kEnough = 3;
  const auto& turned = counters.faces_turned;
  const auto most = std::max_element(turned.begin(), turned.end());
  const std::uint64_t others = counters.faces_upright + turned[0] + turned[1] + turned[2] - *most;
  if (*most < kEnough || others * kEnough > *most) return std::nullopt;
  return 90 * (1 + static_cast<int>(most - turned.begin()));
}

AnalyserCounters& operator+=(AnalyserCounters& sum, const AnalyserCounters& more) {
  sum.frames_analysed += more.frames_analysed;
  sum.faces_seen += more.faces_seen;
  sum.faces_matched += more.faces_matched;
  sum.faces_discarded += more.faces_discarded;
  sum.faces_embedded += more.faces_embedded;
  sum.faces_not_live += more.faces_not_live;
  sum.faces_covered += more.faces_covered;
  sum.faces_upright += more.faces_upright;
  for (std::size_t i = 0; i < sum.faces_turned.size(); ++i) {
    sum.faces_turned[i] += more.faces_turned[i];
  }
  sum.frames_still += more.frames_still;
  sum.tiles += more.tiles;
  return sum;
}

Analyser::Analyser(AnalyserOptions options, Recogniser& recogniser)
    : options_(options), recogniser_(recogniser) {}

bool Analyser::due(const Followed& track, MonoTime at) const {
  if (track.views == 0) return true;
  const auto waited = at - track.compared_at;
  if (track.matched) return waited >= options_.refresh;
  if (track.agreeing > 0) return waited >= options_.between_views;
  const auto wait = options_.between_views * (1 << std::min(track.views - 1, 8));
  return waited >= std::min<std::chrono::milliseconds>(wait, kLongestWait);
}

// In another size everything is elsewhere: another stream, or the camera's setting was changed.
void Analyser::watch_size(const Image& image) {
  if (image.empty() || (image.width() == width_ && image.height() == height_)) return;
  if (width_ != 0) forget();
  width_ = image.width();
  height_ = image.height();
}

bool Analyser::nothing_moves(const Frame& frame) {
  picture_ = health_.look(frame.image, frame.at);
  const bool skip = tracker_.empty() && !health_.moved() && frame.at - searched_at_ < kSearchAnyway;
  if (!skip) searched_at_ = frame.at;
  return skip;
}

std::vector<Detection> Analyser::search(const Image& image) {
  std::vector<Box> parts;
  if (options_.far_faces) {
    const auto width = static_cast<float>(image.width());
    const auto height = static_cast<float>(image.height());
    for (const Box& tile : tiles_of(image.width(), image.height())) {
      const bool small_face = std::any_of(seen_.begin(), seen_.end(), [&](const Box& face) {
        const Point centre = face.centre();
        return face.width < kFarFace * width && centre.x >= tile.x && centre.x < tile.right() &&
               centre.y >= tile.y && centre.y < tile.bottom();
      });
      if (small_face || health_.moved_in({tile.x / width, tile.y / height, tile.width / width,
                                          tile.height / height})) {
        parts.push_back(tile);
      }
    }
    counters_.tiles += parts.size();
  }
  health_.accept_still();
  std::vector<Detection> found = recogniser_.detect(image, parts);
  seen_.clear();
  for (const Detection& face : found) seen_.push_back(face.box);
  return found;
}

// Nobody turns upside down before a camera, so a track is asked once; one that seems to lie is
// asked again with its next view, since a single view may deceive.
bool Analyser::stands(Followed& track, const Frame& frame, const Face& face) {
  if (track.stance == Followed::Stance::upright) return true;
  const int degrees = recogniser_.turn_of(frame.image, face);
  const bool first = track.stance == Followed::Stance::unknown;
  track.stance = degrees == 0 ? Followed::Stance::upright : Followed::Stance::turned;
  if (degrees == 0) {
    ++counters_.faces_upright;
  } else if (first) {
    ++counters_.faces_turned[static_cast<std::size_t>(degrees / 90 - 1)];
  }
  return degrees == 0;
}

bool Analyser::is_uncovered(Followed& track, const Face& face) {
  if (recogniser_.cover_of(face) == Cover::none) return true;
  if (!track.covered) ++counters_.faces_covered;
  track.covered = true;
  return false;
}

bool Analyser::is_live(Followed& track, const Frame& frame, const Box& face) {
  if (const auto score = recogniser_.liveness(frame.image, face)) track.liveness.add(*score);
  return track.liveness.verdict() == Liveness::live;
}

void Analyser::count_ended() {
  for (const std::uint64_t id : tracker_.take_ended()) {
    const auto it = tracks_.find(id);
    if (it == tracks_.end()) continue;
    if (!it->second.ever_matched) ++counters_.faces_discarded;
    tracks_.erase(it);
  }
}

std::vector<FaceMatch> Analyser::analyse(const Frame& frame, const Gallery* gallery) {
  std::vector<FaceMatch> matches;
  ++counters_.frames_analysed;
  watch_size(frame.image);
  const std::uint64_t before = std::exchange(number_, frame.number);
  const std::uint64_t passed_over = frame.number > before + 1 ? frame.number - before - 1 : 0;
  if (nothing_moves(frame)) {
    ++counters_.frames_still;
    return matches;
  }
  if (frame.image.empty()) return matches;
  if (picture_ != PictureFault::none) {
    // What a dark or frozen picture shows is nobody's presence.
    tracker_.update({}, frame.at);
    count_ended();
    return matches;
  }
  const std::vector<Detection> detections = search(frame.image);
  for (const FaceTracker::Sight& sight : tracker_.update(detections, frame.at, passed_over)) {
    Followed& track = tracks_[sight.track];
    if (sight.fresh) ++counters_.faces_seen;
    if (gallery == nullptr || gallery->empty()) continue;
    if (track.generation != gallery->generation()) {
      // What was agreed on belongs to another gallery.
      Followed again;
      again.ever_matched = track.ever_matched;
      again.motion = std::move(track.motion);
      again.generation = gallery->generation();
      track = std::move(again);
    }
    // Of a member alone: of everybody else nothing is kept, not even how they look in 32 pixels.
    if (track.agreeing > 0 &&
        !track.motion.lives(frame.image, detections[sight.detection].box, frame.at)) {
      // In a room where people are, a face alone is quite still only on paper.
      if (health_.quiet_for(frame.at) >= FaceMotion::kPatience) health_.hold_frozen();
      continue;
    }
    const bool is_due = due(track, frame.at);
    if (track.matched && !is_due) continue;
    if (track.views > 0 && frame.at - track.looked_at < options_.between_views) continue;
    track.looked_at = frame.at;

    const Detection& detection = detections[sight.detection];
    if (std::min(detection.box.width, detection.box.height) < options_.limits.min_size_px) continue;
    Face face = recogniser_.locate(frame.image, detection);
    const Quality quality = measure_quality(face);
    const Defect defect = first_defect(quality, options_.limits);
    if (defect == Defect::turned_away && track.stance == Followed::Stance::unknown) {
      // It may look away, or lie on its head: then nobody would ever be looked at.
      recogniser_.embed(face);
      stands(track, frame, face);
    }
    if (defect != Defect::none) continue;
    if (!is_due && quality.score < kBetter * track.best_quality) continue;

    recogniser_.embed(face);
    ++counters_.faces_embedded;
    const auto match = gallery->match(face.embedding);
    if (!match) continue;
    ++track.views;
    track.compared_at = frame.at;
    track.best_quality = std::max(track.best_quality, quality.score);
    if (observer_) observer_(sight.track, frame.at, quality, *match);
    if (!stands(track, frame, face) || !match->accepted || !is_uncovered(track, face)) continue;
    if (track.candidate == match->customer) {
      ++track.agreeing;
    } else {
      track.candidate = match->customer;
      track.agreeing = 1;
      track.matched = false;
      track.best_similarity = -1;
    }
    track.best_similarity = std::max(track.best_similarity, match->similarity);
    if (options_.require_liveness && !is_live(track, frame, detection.box)) {
      if (track.liveness.verdict() == Liveness::attack && !track.refused) {
        track.refused = true;
        ++counters_.faces_not_live;
      }
      continue;
    }
    if (track.agreeing < options_.agreeing_views) continue;
    if (!track.ever_matched) ++counters_.faces_matched;
    track.matched = true;
    track.ever_matched = true;
    matches.push_back({track.candidate, static_cast<double>(track.best_similarity), sight.track,
                       gallery->generation(), frame.at});
    if (const FaceConsent* consent = gallery->ageing(track.candidate)) {
      matches.back().view.emplace(*consent, recogniser_.model(), face.embedding);
    }
  }
  count_ended();
  return matches;
}

void Analyser::forget() {
  tracker_.clear();
  count_ended();
  tracks_.clear();
  seen_.clear();
  health_.reset();
  picture_ = PictureFault::none;
}

}  // namespace welcome::vision
