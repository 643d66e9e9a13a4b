#pragma once
// FaceTemplate: what is kept of a face: numbers of one model. It leaves this room in one shape
// only, as bytes for the store to seal; nothing outside can read the numbers. Wiped when it dies.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace welcome {
class FaceConsent;  // made by the consent gate only: core/sighting.h
}

namespace welcome::vision {

// One face as a unit vector. Exists while a frame is looked at, and is never kept.
struct Embedding {
  std::vector<float> values;

  bool empty() const { return values.empty(); }
};

float cosine(const Embedding& a, const Embedding& b);

class FaceTemplate {
 public:
  FaceTemplate(const FaceTemplate&) = default;
  FaceTemplate(FaceTemplate&&) = default;
  FaceTemplate& operator=(const FaceTemplate&) = default;
  FaceTemplate& operator=(FaceTemplate&&) = default;
  ~FaceTemplate();

  // The only way from a face to a template; `model` made the embedding.
  FaceTemplate(const FaceConsent& consent, std::string model, const Embedding& face);

  // Looks change slowly: `before` (null: the enrolled one that is most like the view) moved a tenth
  // of the way to `view`. The enrolled ones stay as they are and hold it: nullopt if view or result
  // are less like the nearest of them than `threshold`, or another model made one of them.
  static std::optional<FaceTemplate> aged(const FaceConsent& consent,
                                          std::span<const FaceTemplate> enrolled,
                                          const FaceTemplate* before, const FaceTemplate& view,
                                          double threshold);

  // The model that made it; templates of different models are never compared.
  const std::string& model() const { return model_; }

  // For the store to seal, and what it unsealed. Layout: "WFT1", u16 length of the model id,
  // the id, u32 count, float32 values; little-endian.
  std::vector<std::uint8_t> to_bytes() const;
  static Result<FaceTemplate> from_bytes(std::span<const std::uint8_t> bytes);

 private:
  friend class Gallery;
  FaceTemplate(std::string model, std::vector<float> values)
      : model_(std::move(model)), values_(std::move(values)) {}

  std::string model_;
  std::vector<float> values_;
};

}  // namespace welcome::vision
