#include "vision/liveness.h"

#include <algorithm>

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

void LivenessVote::add(float score) {
  constexpr int kMemory = 8;  // views after which an old one has lost most of its weight
  ++views_;
  mean_ += (score - mean_) / static_cast<float>(std::min(views_, kMemory));
}

Liveness LivenessVote::verdict() const {
  if (views_ < kViews) return Liveness::undecided;
  return mean_ >= threshold_ ? Liveness::live : Liveness::attack;
}

}  // namespace welcome::vision
