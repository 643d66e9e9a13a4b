// SPDX-License-Identifier: Apache-2.0
#pragma once
// FaceMatch: the only thing that leaves a camera worker about a face. No pixel, and no embedding
// but the template of who agreed that hers follow her looks.

#include <cstdint>
#include <optional>

#include "core/ids.h"
#include "core/time.h"
#include "vision/face_template.h"

namespace welcome::vision {

struct FaceMatch {
  CustomerId customer;
  double similarity = 0;               // cosine, best agreeing view of the track
  std::uint64_t track = 0;             // per camera and run of the program
  std::uint64_t generation = 0;        // of the gallery that was searched; an older one is void
  MonoTime at;                         // capture time of the frame that decided
  std::optional<FaceTemplate> view{};  // of that frame; only with Gallery::ageing()
};

}  // namespace welcome::vision
