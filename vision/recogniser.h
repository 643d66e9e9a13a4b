// SPDX-License-Identifier: Apache-2.0
#pragma once
// Recogniser: a picture in, faces out. Detector → landmarks → alignment → embedding over OpenCV's
// dnn. Copies share their nets, which are large and keep scratch memory, and take turns with them:
// a copy for each thread is cheap.

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vision/alignment.h"
#include "vision/face_template.h"
#include "vision/image.h"
#include "vision/model_pack.h"

namespace welcome::vision {

struct Detection {
  Box box;
  float score = 0;
};

class Detector {
 public:
  virtual ~Detector() = default;
  // Best score first. Never throws: a picture that cannot be handled has no faces.
  // `min_score`: 0 takes the model's own threshold.
  virtual std::vector<Detection> detect(const Image& image, float min_score = 0) = 0;
};

// 2×2 overlapping parts of a picture: searched one by one, a 720p picture gives faces from 24 px.
std::array<Box, 4> tiles_of(int width, int height);

class LandmarkFinder {
 public:
  virtual ~LandmarkFinder() = default;
  virtual Landmarks find(const Image& image, const Box& face) = 0;
};

struct Face {
  Box box;
  float score = 0;
  Landmarks landmarks{};
  Image aligned;             // in ArcFace's frame, for quality; empty: landmarks of no use
  std::vector<Image> crops;  // what each recogniser of the pack is given
  Embedding embedding;       // empty until embed()
  float strength = 0;        // length of the first recogniser's vector: how much of a face it sees
};

// What of a face is hidden from the recogniser.
enum class Cover : std::uint8_t { none, eyes, lower_half };
std::string_view to_string(Cover cover);

class Recogniser {
 public:
  explicit Recogniser(const ModelPack& pack);  // throws std::runtime_error if a net does not load

  // In order of cost, so that a tracker pays only for what it needs.
  std::vector<Detection> detect(const Image& image);
  // Also in these parts of the picture, each at the cost of a whole one.
  std::vector<Detection> detect(const Image& image, std::span<const Box> parts);
  Face locate(const Image& image, const Detection& detection);  // landmarks, aligned, crops
  void embed(Face& face);  // what locate() made; leaves the embedding empty if it cannot

  // By how many degrees, clockwise, the picture would have to be turned for the face to stand
  // upright: 0, 90, 180 or 270. Detector and landmarks find a face whichever way up it is, and two
  // strangers upside down look alike to a recogniser; but it sees more of a face in one that
  // stands. For a face that embed() has seen, at the cost of three more.
  int turn_of(const Image& image, const Face& face);

  // Mask, sunglasses, a hand, or nothing there at all: hiding what is hidden already changes
  // little. For a face that embed() has seen, at the cost of two more.
  Cover cover_of(const Face& face);

  // 0…1 that a person is there and not a picture of one. nullopt: it cannot be told, because the
  // pack has no such model or the picture shows too little around the face.
  std::optional<float> liveness(const Image& image, const Box& face);

  // Faces with landmarks, biggest first, without embeddings.
  std::vector<Face> find(const Image& image);

  // The face that a portrait is about: biggest and most central, embedded. Tries harder than
  // find(): tight crops and small pictures are padded and enlarged. nullopt: no face.
  std::optional<Face> portrait(const Image& image);

  const FaceModel& model() const;  // of its embeddings
  const ModelPack& pack() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace welcome::vision
