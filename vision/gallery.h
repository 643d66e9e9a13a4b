// SPDX-License-Identifier: Apache-2.0
#pragma once
// Gallery: an immutable snapshot of the templates that may be matched now: of customers who
// consented and are near. Replaced as a whole; safe to read from any thread. Templates are kept as
// 8-bit numbers (a quarter of the memory that a search has to read); similarities are within 0.003
// of what floats give. Who has several templates is compared by their mean as well.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/sighting.h"
#include "vision/face_template.h"
#include "vision/model_pack.h"

namespace welcome::vision {

// How often a stranger's view may be taken for anybody of the gallery, unless told otherwise. Two
// views must agree besides: docs/evaluation-vision.md.
inline constexpr double kFalseMatchRate = 1e-4;

// Open-set operating point, from the pack's measured thresholds. Similarities of strangers are
// close to a normal distribution in the tail, so thresholds between and beyond the measured ones
// lie on straight lines over its quantiles. The rate holds for the group of people that is confused
// most.
struct OperatingPoint {
  FaceThresholds thresholds{.fmr_1e3 = 0.34, .fmr_1e4 = 0.41, .fmr_1e5 = 0.48};
  double false_match_rate = kFalseMatchRate;
  double margin = 0.05;  // the best person must beat the second by this much

  static OperatingPoint of(const ModelPack& pack, double false_match_rate = kFalseMatchRate) {
    return {pack.thresholds, false_match_rate, 0.05};
  }

  // Similarity that strangers of the worst group reach at `rate` per comparison of two faces.
  double at(double rate) const;
  // The rate per person shrinks with the number of people compared (union bound).
  double threshold(std::size_t people) const;
};

// Of the embeddings that its recognisers make.
FaceModel model_of(const ModelPack& pack);

struct GalleryMatch {
  CustomerId customer;       // the best, accepted or not
  float similarity = -1.0F;  // of the best template of that person, or of their mean
  float second = -1.0F;      // of the best other person; −1 when there is none
  bool accepted = false;
};

class Gallery {
 public:
  class Builder;

  // The best and the second-best person. Empty when nobody is in it or the sizes differ.
  std::optional<GalleryMatch> match(const Embedding& face) const;

  // Her consent, if it says that her templates may follow her looks; else null.
  const FaceConsent* ageing(const CustomerId& customer) const {
    const auto found = ageing_.find(customer);
    return found == ageing_.end() ? nullptr : &found->second;
  }

  std::uint64_t generation() const { return generation_; }
  std::size_t people() const { return customers_.size(); }
  std::size_t templates() const { return templates_; }
  bool empty() const { return owner_.empty(); }
  double threshold() const { return threshold_; }

 private:
  Gallery() = default;

  std::uint64_t generation_ = 0;
  double threshold_ = 1.0;
  double margin_ = 0.0;
  std::size_t dimension_ = 0;
  std::size_t templates_ = 0;  // without means
  std::vector<CustomerId> customers_;
  std::vector<float> penalty_;        // per customer: what "not this person" adds to the threshold
  std::vector<std::uint32_t> owner_;  // per row (template or mean): index of its customer
  std::vector<std::int8_t> rows_;     // rows × dimension
  std::vector<float> scale_;          // per row: value = scale × number
  std::unordered_map<CustomerId, FaceConsent> ageing_;
};

// Collects the templates of one snapshot. Needs the consent of each person; a template that lacks
// what one of the model's recognisers says is refused (`not_found`: ask for re-enrolment).
class Gallery::Builder {
 public:
  Builder(FaceModel model, OperatingPoint point);

  // `refuted` = how often staff said "not this person" of this customer's face lately.
  Result<void> add(const FaceConsent& consent, const FaceTemplate& face, int refuted = 0);
  void let_age(const FaceConsent& consent);
  std::shared_ptr<const Gallery> build(std::uint64_t generation) &&;

 private:
  void add_row(std::uint32_t owner, const std::vector<float>& values);

  FaceModel model_;
  OperatingPoint point_;
  std::unordered_map<CustomerId, std::uint32_t> index_;
  struct Sum {
    std::vector<float> values;
    int templates = 0;
  };
  std::vector<Sum> sums_;  // per customer
  Gallery gallery_;
};

}  // namespace welcome::vision
