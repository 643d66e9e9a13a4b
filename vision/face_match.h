#pragma once
// FaceMatch: the only thing that leaves a camera worker about a face. No pixel, no embedding.

#include <cstdint>

#include "firmware/core/ids.h"
#include "firmware/core/time.h"

namespace welcome::vision {

struct FaceMatch {
  CustomerId customer;
  double similarity = 0;         // cosine, best agreeing view of the track
  std::uint64_t track = 0;       // per camera and run of the program
  std::uint64_t generation = 0;  // of the gallery that was searched; an older one is void
  MonoTime at;                   // capture time of the frame that decided
};

}  // namespace welcome::vision
