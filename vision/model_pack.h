#pragma once
// ModelPack: the models of one complete chain (detector, landmarks, embedder, liveness), read from
// models.json and checked against their SHA-256 before anything is loaded.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace welcome::vision {

struct Model {
  std::string id;    // "faceplugin-feature-0.0.1": templates carry the embedder's id
  std::string role;  // "detector", "landmarks", "embedder", "liveness"
  std::filesystem::path file;
  std::string sha256;  // lower-case hex
  std::string licence;
  int input_width = 0;
  int input_height = 0;
  bool rgb = true;  // channel order that the net was trained on
  double mean = 0;  // input = (pixel − mean) / scale
  double scale = 1;
  int output_size = 0;
  double threshold = 0;  // detector: score; liveness: score of "real"
  // Embedder: cosine similarity at a false match rate of 1e-3, 1e-4, 1e-5.
  double threshold_1e3 = 0;
  double threshold_1e4 = 0;
  double threshold_1e5 = 0;
};

struct ModelPack {
  std::string name;  // "best" or "known-origin"
  Model detector;
  Model landmarks;
  Model embedder;
  std::optional<Model> liveness;
};

// Throws std::runtime_error with one clear line: no such pack, missing file, wrong checksum.
ModelPack load_model_pack(const std::filesystem::path& models_dir, const std::string& pack);

// Lower-case hex of a file's SHA-256; throws std::runtime_error if it cannot be read.
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace welcome::vision
