// SPDX-License-Identifier: Apache-2.0
#pragma once
// LivenessNets: is a person there or a picture of one, by the nets of a pack. One object is used by
// one thread at a time.

#include <memory>
#include <optional>
#include <vector>

#include "vision/image.h"
#include "vision/model_pack.h"

namespace welcome::vision {

// The square that a net gets to see: `crop.scale` times the face's height or, where the picture is
// too small for that and nothing is mirrored, as large as the picture allows; moved to lie inside.
struct LivenessCrop {
  Box box;
  float scale = 0;  // of the face's height
};
LivenessCrop liveness_crop(int width, int height, const Box& face, const Crop& crop);

class LivenessNets {
 public:
  explicit LivenessNets(const ModelPack& pack);  // throws std::runtime_error
  ~LivenessNets();

  // 0…1 that a person is there: the weighted sum of the nets' log-odds; 0.5 is where the pack's
  // balance lies. nullopt: the pack has no such net, or the picture shows too little around the
  // face.
  std::optional<float> score(const Image& image, const Box& face);

 private:
  struct Net;
  std::vector<std::unique_ptr<Net>> nets_;
  double bias_ = 0;
};

}  // namespace welcome::vision
