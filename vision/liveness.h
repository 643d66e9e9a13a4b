// SPDX-License-Identifier: Apache-2.0
#pragma once
// Liveness: is a person there, or a picture of one? A net judges single views; this adds up its
// word over a track, as a sequential test does (Wald, 1945): two clear views decide, doubtful ones
// take longer. It is a signal that makes simple attacks fail, not a proof: docs/evaluation.md says
// what was measured.

#include <cstdint>
#include <string_view>

namespace welcome::vision {

enum class Liveness : std::uint8_t { undecided, live, attack };
std::string_view to_string(Liveness liveness);

// What one view alone says of itself. Between 0.27 and 0.73 (log-odds of one either way) it says
// nothing: another view is wanted.
Liveness first_sight(float score);

class LivenessVote {
 public:
  // Score of one view, 0…1, from Recogniser::liveness(); 0.5 says nothing.
  void add(float score);
  Liveness verdict() const;
  float mean() const { return mean_; }  // of all scores

 private:
  float evidence_ = 0;  // log-odds that a person is there
  float mean_ = 0;
  int views_ = 0;
};

}  // namespace welcome::vision
