// SPDX-License-Identifier: Apache-2.0
#include "vision/liveness.h"

#include <algorithm>
#include <cmath>

namespace welcome::vision {

std::string_view to_string(Liveness liveness) {
  switch (liveness) {
    case Liveness::undecided:
      return "undecided";
    case Liveness::live:
      return "live";
    case Liveness::attack:
      return "attack";
  }
  return "";
}

Liveness first_sight(float score) {
  constexpr float kSays = 0.731F;  // log-odds of 1
  if (score >= kSays) return Liveness::live;
  return score <= 1 - kSays ? Liveness::attack : Liveness::undecided;
}

void LivenessVote::add(float score) {
  ++views_;
  mean_ += (score - mean_) / static_cast<float>(views_);
  // One view cannot say more than this: views of one track are not independent.
  constexpr float kClear = 4;
  // A photo that is put in front of the camera during a track must outweigh no more than this.
  constexpr float kMost = 12;
  const float p = std::clamp(score, 1e-6F, 1 - 1e-6F);
  // Whoever holds a picture up chooses it, and it goes on looking the same: what a view says counts
  // beyond this much in favour of life.
  constexpr float kCaution = 1;
  const float says = std::clamp(std::log(p / (1 - p)) - kCaution, -kClear, kClear);
  evidence_ = std::clamp(evidence_ + says, -kMost, kMost);
}

Liveness LivenessVote::verdict() const {
  constexpr float kEnough = 6;
  if (evidence_ >= kEnough) return Liveness::live;
  if (evidence_ <= -kEnough) return Liveness::attack;
  return Liveness::undecided;
}

}  // namespace welcome::vision
