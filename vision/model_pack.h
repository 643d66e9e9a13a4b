// SPDX-License-Identifier: Apache-2.0
#pragma once
// ModelPack: the models of one complete chain (detector, landmarks, recognisers, liveness), read
// from models.json and checked against their SHA-256 before anything is loaded.

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vision/image.h"

namespace welcome::vision {

// How a face is laid into a net's picture: where eyes, nose and mouth corners come to lie, in
// pixels of its input.
using FivePoints = std::array<Point, 5>;

// How a recogniser tells a covered face: how alike a face and the same face with its lower part
// (its eyes) hidden are to it, weighted; above 0 that part was hidden anyway.
// docs/evaluation-vision.md.
struct CoverRule {
  double lower = 0;  // cosine with the lower part hidden
  double eyes = 0;   // cosine with the eyes hidden
  double light = 0;  // brightness of the eyes, as a share of the cheeks'
  double least = 0;
};

// What a liveness net wants to see: a square of `scale` times the face's height.
struct Crop {
  float scale = 1;
  bool mirrored = false;  // what lies beyond the picture is its mirror image; else it stays inside
  bool averaged = false;  // made smaller by averaging, not by picking pixels
};

struct Model {
  std::string id;    // "faceplugin-feature-0.0.1": templates carry the recognisers' ids
  std::string role;  // "detector", "landmarks", "recogniser", "liveness"
  std::filesystem::path file;
  std::string sha256;  // lower-case hex
  std::string licence;
  int input_width = 0;
  int input_height = 0;
  bool rgb = true;  // channel order that the net was trained on
  double mean = 0;  // input = (pixel − mean) / scale
  double scale = 1;
  int output_size = 0;
  double threshold = 0;  // detector: score
  double weight = 1;     // of this one among its pack's; they add up to 1
  FivePoints points{};   // recogniser
  CoverRule lower_covered{};
  CoverRule eyes_covered{};
  Crop crop{};  // liveness
};

// Cosine similarity of two faces (of several recognisers: the weighted mean) that strangers reach
// at a rate of 1e-3, 1e-4, 1e-5.
struct FaceThresholds {
  double fmr_1e3 = 0;
  double fmr_1e4 = 0;
  double fmr_1e5 = 0;
  // At one threshold for all, the group of people that is confused most is confused this much more
  // often than people are on the whole: docs/evaluation-vision.md.
  double worst_group = 1;
};

struct ModelPack {
  std::string name;
  Model detector;
  Model landmarks;
  std::vector<Model> recognisers;  // one at least
  FaceThresholds thresholds;
  std::vector<Model> liveness;  // may be empty
  double liveness_bias = 0;     // added to the weighted sum of their log-odds
};

// The name that stands for the best pack of known origin whose files are there.
inline constexpr std::string_view kAnyPack = "auto";

// Throws std::runtime_error with one clear line: no such pack, missing file, wrong checksum.
ModelPack load_model_pack(const std::filesystem::path& models_dir, const std::string& pack);

// Packs of models.json that cannot be used for want of a file, with the files they lack. Empty too
// if there is no models.json.
struct AbsentPack {
  std::string name;
  std::vector<std::string> files;
  std::string gain;  // what having it would bring
};
std::vector<AbsentPack> absent_packs(const std::filesystem::path& models_dir);

// Lower-case hex of a file's SHA-256; throws std::runtime_error if it cannot be read.
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace welcome::vision
