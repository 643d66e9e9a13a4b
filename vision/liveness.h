#pragma once
// Liveness: is a person there, or a picture of one? A net judges single views; this collects its
// word over a track. It is a signal that makes simple attacks fail, not a proof: docs/evaluation.md
// says what was measured.

#include <cstdint>
#include <string_view>

namespace welcome::vision {

enum class Liveness : std::uint8_t { undecided, live, attack };
std::string_view to_string(Liveness liveness);

class LivenessVote {
 public:
  LivenessVote() = default;
  explicit LivenessVote(float threshold) : threshold_(threshold) {}

  // Score of one view, 0…1, from Recogniser::liveness().
  void add(float score);
  // Undecided until kViews were seen; later views count more, so that a photo that is put in
  // front of the camera during a track is noticed.
  Liveness verdict() const;
  float mean() const { return mean_; }
  int views() const { return views_; }

  static constexpr int kViews = 3;

 private:
  float threshold_ = 0.5F;
  float mean_ = 0;
  int views_ = 0;
};

}  // namespace welcome::vision
