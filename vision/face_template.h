// SPDX-License-Identifier: Apache-2.0
#pragma once
// FaceTemplate: what is kept of a face: numbers of one or more recognisers. It leaves this room in
// one shape only, as bytes for the store to seal; nothing outside can read the numbers. Wiped when
// it dies.

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

// Which recognisers make an embedding, and how much the word of each counts.
struct FaceModel {
  struct Part {
    std::string id;
    std::size_t size = 0;  // numbers; 0: all that there are
    double weight = 1;     // they add up to 1
  };
  std::vector<Part> parts;

  FaceModel() = default;
  FaceModel(std::string id) : parts{{std::move(id), 0, 1}} {}  // NOLINT: a model of one part
  FaceModel(const char* id) : FaceModel(std::string(id)) {}    // NOLINT: the same

  std::string name() const;  // "a+b"
};

// One face as a unit vector: that of each recogniser times the root of its weight, one after the
// other, so that the product of two is the weighted mean of the recognisers' cosines. Exists while
// a frame is looked at, and is never kept.
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
  FaceTemplate(const FaceConsent& consent, const FaceModel& model, const Embedding& face);

  // Looks change slowly: `before` (null: the enrolled one that is most like the view) moved a tenth
  // of the way to `view`. The enrolled ones stay as they are and hold it: nullopt if view or result
  // are less like the nearest of them than `threshold`, or one of them lacks a part of `model`.
  static std::optional<FaceTemplate> aged(const FaceConsent& consent, const FaceModel& model,
                                          std::span<const FaceTemplate> enrolled,
                                          const FaceTemplate* before, const FaceTemplate& view,
                                          double threshold);

  // The recognisers that made it, "a+b". Numbers of different ones are never compared.
  std::string model() const;
  // It has every part of `model` (and perhaps more).
  bool fits(const FaceModel& model) const;

  // For the store to seal, and what it unsealed, little-endian. "WFT2", u8 count of parts, and of
  // each: u16 length of the recogniser's id, the id, u32 count, float32 values. One part alone is
  // written as it always was: "WFT1" and that part.
  std::vector<std::uint8_t> to_bytes() const;
  static Result<FaceTemplate> from_bytes(std::span<const std::uint8_t> bytes);

 private:
  friend class Gallery;
  struct Part {
    std::string model;
    std::vector<float> values;  // of length 1
  };
  explicit FaceTemplate(std::vector<Part> parts) : parts_(std::move(parts)) {}
  static bool take_part(std::span<const std::uint8_t>& bytes, Part& part);
  // As an embedding of `model` would be; nullopt if a part is missing.
  std::optional<Embedding> joined(const FaceModel& model) const;

  std::vector<Part> parts_;
};

}  // namespace welcome::vision
