#include "vision/model_pack.h"

#include <array>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <stdexcept>

#include "core/hex.h"

namespace welcome::vision {
namespace {

using Json = nlohmann::json;

Model read_model(const std::filesystem::path& dir, const Json& list, const std::string& id,
                 const std::string& role) {
  for (const Json& entry : list) {
    if (entry.at("id") != id) continue;
    if (entry.at("role") != role) {
      throw std::runtime_error("models: " + id + " is not a " + role);
    }
    Model model;
    model.id = id;
    model.role = role;
    model.file = dir / entry.at("file").get<std::string>();
    model.sha256 = entry.at("sha256").get<std::string>();
    model.licence = entry.at("licence").get<std::string>();
    const Json& input = entry.at("input");
    model.input_width = input.at("width");
    model.input_height = input.at("height");
    model.rgb = input.at("channels") == "rgb";
    model.mean = input.at("mean");
    model.scale = input.at("scale");
    model.output_size = entry.at("output").at("size");
    const Json& threshold = entry.at("threshold");
    model.threshold = threshold.value("score", 0.0);
    model.threshold_1e3 = threshold.value("fmr_1e-3", 0.0);
    model.threshold_1e4 = threshold.value("fmr_1e-4", 0.0);
    model.threshold_1e5 = threshold.value("fmr_1e-5", 0.0);
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
  throw std::runtime_error("models: models.json has no model " + id);
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
  const std::filesystem::path listing = models_dir / "models.json";
  std::ifstream in(listing);
  if (!in) {
    throw std::runtime_error("models: " + listing.string() +
                             " is missing; make it with vision/models/prepare");
  }
  try {
    const Json root = Json::parse(in);
    const Json& packs = root.at("packs");
    if (!packs.contains(pack))
      throw std::runtime_error("models: there is no pack \"" + pack + "\"");
    const Json& names = packs.at(pack);
    const Json& list = root.at("models");
    ModelPack result;
    result.name = pack;
    result.detector = read_model(models_dir, list, names.at("detector"), "detector");
    result.landmarks = read_model(models_dir, list, names.at("landmarks"), "landmarks");
    result.embedder = read_model(models_dir, list, names.at("embedder"), "embedder");
    if (names.contains("liveness")) {
      result.liveness = read_model(models_dir, list, names.at("liveness"), "liveness");
    }
    return result;
  } catch (const Json::exception& error) {
    throw std::runtime_error("models: " + listing.string() + " is damaged: " + error.what());
  }
}

}  // namespace welcome::vision
