#pragma once
// Recogniser: a picture in, faces out. Detector → landmarks → alignment → embedding over OpenCV's
// dnn. One object is used by one thread at a time (the nets keep scratch memory).

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

// 68 points in the order of iBUG 300-W (jaw 0–16, brows, nose 27–35, eyes 36–47, mouth 48–67).
using Landmarks = std::array<Point, 68>;

class LandmarkFinder {
 public:
  virtual ~LandmarkFinder() = default;
  virtual Landmarks find(const Image& image, const Box& face) = 0;
};

// Least-squares similarity of eyes, nose and mouth corners onto the ArcFace template, 112×112.
Image align(const Image& image, const Landmarks& landmarks);

class Embedder {
 public:
  virtual ~Embedder() = default;
  virtual Embedding embed(const Image& aligned) = 0;
  virtual const std::string& model() const = 0;
};

struct Face {
  Box box;
  float score = 0;
  Landmarks landmarks{};
  Image aligned;  // as align() makes it: for quality and embedding; empty: landmarks of no use
  Embedding embedding;  // empty until embed()
};

class Recogniser {
 public:
  explicit Recogniser(const ModelPack& pack);  // throws std::runtime_error if a net does not load
  ~Recogniser();

  // In order of cost, so that a tracker pays only for what it needs.
  std::vector<Detection> detect(const Image& image);
  // Also in these parts of the picture, each at the cost of a whole one.
  std::vector<Detection> detect(const Image& image, std::span<const Box> parts);
  Face locate(const Image& image, const Detection& detection);  // landmarks, aligned
  void embed(Face& face);  // what locate() made; leaves the embedding empty if it cannot

  // 0…1 that a person is there and not a picture of one. nullopt: it cannot be told, because the
  // pack has no such model or the picture shows too little around the face.
  std::optional<float> liveness(const Image& image, const Box& face);

  // Faces with landmarks, biggest first, without embeddings.
  std::vector<Face> find(const Image& image);

  // The face that a portrait is about: biggest and most central, embedded. Tries harder than
  // find(): tight crops and small pictures are padded and enlarged. nullopt: no face.
  std::optional<Face> portrait(const Image& image);

  const std::string& model() const;  // id of the embedder
  const ModelPack& pack() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::vision
