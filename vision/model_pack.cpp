// SPDX-License-Identifier: Apache-2.0
#include "vision/model_pack.h"

#include <array>
#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <stdexcept>
#include <system_error>

#include "core/hex.h"

namespace welcome::vision {
namespace {

using Json = nlohmann::json;

const Json& entry_of(const Json& list, const std::string& id) {
  for (const Json& entry : list) {
    if (entry.at("id") == id) return entry;
  }
  throw std::runtime_error("models: models.json has no model " + id);
}

FivePoints read_points(const Json& list) {
  FivePoints points{};
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] = {list.at(i).at(0).get<float>(), list.at(i).at(1).get<float>()};
  }
  return points;
}

CoverRule read_cover(const Json& rule) {
  return {rule.at("lower"), rule.at("eyes"), rule.at("light"), rule.at("least")};
}

Crop read_crop(const Json& crop) {
  return {crop.at("scale").get<float>(), crop.at("beyond") == "mirror",
          crop.at("shrink") == "average"};
}

Model read_model(const std::filesystem::path& dir, const Json& list, const std::string& id,
                 const std::string& role, double weight = 1) {
  const Json& entry = entry_of(list, id);
  if (entry.at("role") != role) throw std::runtime_error("models: " + id + " is not a " + role);
  Model model;
  model.id = id;
  model.role = role;
  model.file = dir / entry.at("file").get<std::string>();
  model.sha256 = entry.at("sha256").get<std::string>();
  model.licence = entry.at("licence").get<std::string>();
  model.weight = weight;
  const Json& input = entry.at("input");
  model.input_width = input.at("width");
  model.input_height = input.at("height");
  model.rgb = input.at("channels") == "rgb";
  model.mean = input.at("mean");
  model.scale = input.at("scale");
  if (role == "recogniser") model.points = read_points(input.at("points"));
  if (entry.contains("covered")) {
    model.lower_covered = read_cover(entry.at("covered").at("lower"));
    model.eyes_covered = read_cover(entry.at("covered").at("eyes"));
  }
  if (role == "liveness") model.crop = read_crop(input.at("crop"));
  model.output_size = entry.at("output").at("size");
  if (role == "detector") model.threshold = entry.at("threshold").at("score");
  if (model.input_width <= 0 || model.input_height <= 0 || model.scale <= 0 ||
      model.output_size <= 0) {
    throw std::runtime_error("models: " + id + " has an impossible input or output size");
  }
  if (sha256_of_file(model.file) != model.sha256) {
    throw std::runtime_error("models: " + model.file.string() +
                             " does not have the checksum of models.json; make it again with "
                             "vision/models/prepare");
  }
  return model;
}

std::vector<Model> read_models(const std::filesystem::path& dir, const Json& list,
                               const Json& wanted, const std::string& role) {
  std::vector<Model> models;
  double sum = 0;
  for (const Json& one : wanted) {
    const double weight = one.at("weight");
    sum += weight;
    models.push_back(read_model(dir, list, one.at("model"), role, weight));
  }
  if (models.empty() || !(std::abs(sum - 1) < 1e-3)) {
    throw std::runtime_error("models: the weights of a " + role + " list do not add up to 1");
  }
  return models;
}

Json read_listing(const std::filesystem::path& models_dir) {
  const std::filesystem::path listing = models_dir / "models.json";
  std::ifstream in(listing);
  if (!in) {
    throw std::runtime_error("models: " + listing.string() +
                             " is missing; make it with vision/models/prepare");
  }
  return Json::parse(in);
}

std::vector<std::string> missing_files(const std::filesystem::path& dir, const Json& list,
                                       const Json& pack) {
  std::vector<std::string> ids{pack.at("detector"), pack.at("landmarks")};
  for (const Json& one : pack.at("recognisers")) ids.push_back(one.at("model"));
  if (pack.contains("liveness")) {
    for (const Json& one : pack.at("liveness").at("models")) ids.push_back(one.at("model"));
  }
  std::vector<std::string> missing;
  for (const std::string& id : ids) {
    const std::string file = entry_of(list, id).at("file");
    std::error_code error;
    if (!std::filesystem::exists(dir / file, error)) missing.push_back(file);
  }
  return missing;
}

// The first pack of the list of preferences that has all of its files.
std::string choose_pack(const std::filesystem::path& dir, const Json& root) {
  for (const Json& name : root.at("prefer")) {
    const Json& pack = root.at("packs").at(name.get<std::string>());
    if (missing_files(dir, root.at("models"), pack).empty()) return name;
  }
  throw std::runtime_error("models: no pack in " + dir.string() +
                           " is whole; make them with vision/models/prepare");
}

FaceThresholds read_thresholds(const Json& threshold) {
  return {threshold.at("fmr_1e-3"), threshold.at("fmr_1e-4"), threshold.at("fmr_1e-5"),
          threshold.at("worst_group")};
}

}  // namespace

std::string sha256_of_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("models: cannot read " + file.string());
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("models: SHA-256 is not available");
  }
  std::array<char, 65536> buffer{};
  while (in.read(buffer.data(), buffer.size()) || in.gcount() > 0) {
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  return to_hex(std::span(digest).first(size));
}

ModelPack load_model_pack(const std::filesystem::path& models_dir, const std::string& pack) {
  try {
    const Json root = read_listing(models_dir);
    const Json& packs = root.at("packs");
    ModelPack result;
    result.name = pack == kAnyPack ? choose_pack(models_dir, root) : pack;
    if (!packs.contains(result.name)) {
      throw std::runtime_error("models: there is no pack \"" + pack + "\"");
    }
    const Json& names = packs.at(result.name);
    const Json& list = root.at("models");
    if (const auto missing = missing_files(models_dir, list, names); !missing.empty()) {
      throw std::runtime_error("models: pack " + result.name + ": cannot read " +
                               (models_dir / missing.front()).string() +
                               "; make it with vision/models/prepare");
    }
    result.detector = read_model(models_dir, list, names.at("detector"), "detector");
    result.landmarks = read_model(models_dir, list, names.at("landmarks"), "landmarks");
    result.recognisers = read_models(models_dir, list, names.at("recognisers"), "recogniser");
    result.thresholds = read_thresholds(names.at("threshold"));
    if (names.contains("liveness")) {
      const Json& liveness = names.at("liveness");
      result.liveness = read_models(models_dir, list, liveness.at("models"), "liveness");
      result.liveness_bias = liveness.at("bias");
    }
    return result;
  } catch (const Json::exception& error) {
    throw std::runtime_error("models: " + (models_dir / "models.json").string() +
                             " is damaged: " + error.what());
  }
}

std::vector<AbsentPack> absent_packs(const std::filesystem::path& models_dir) {
  std::vector<AbsentPack> absent;
  try {
    const Json root = read_listing(models_dir);
    for (const auto& [name, pack] : root.at("packs").items()) {
      auto files = missing_files(models_dir, root.at("models"), pack);
      if (!files.empty()) absent.push_back({name, std::move(files), pack.value("gain", "")});
    }
  } catch (const std::exception&) {
    absent.clear();
  }
  return absent;
}

}  // namespace welcome::vision
