#pragma once
// Gallery: an immutable snapshot of the templates that may be matched now: of customers who
// consented and are near. Replaced as a whole; safe to read from any thread. Templates are kept as
// 8-bit numbers (a quarter of the memory that a search has to read); similarities are within 0.003
// of what floats give.

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

// Open-set operating point, from the model's measured thresholds. Similarities of strangers are
// close to a normal distribution, so its parameters come from the thresholds at two false match
// rates and give the threshold at any other.
struct OperatingPoint {
  double mean = 0.0;  // of strangers' similarities
  double sigma = 0.11;
  double false_match_rate = 1e-4;  // a stranger is taken for anybody of the gallery, per view
  double margin = 0.05;            // the best person must beat the second by this much

  static OperatingPoint of(const Model& embedder, double false_match_rate);

  // Similarity that strangers reach at `rate` per comparison of two faces.
  double at(double rate) const;
  // The rate per person shrinks with the number of people compared (union bound).
  double threshold(std::size_t people) const;
};

struct Match {
  CustomerId customer;       // the best, accepted or not
  float similarity = -1.0F;  // of the best template of that person
  float second = -1.0F;      // of the best other person; −1 when there is none
  bool accepted = false;
};

class Gallery {
 public:
  class Builder;

  // The best and the second-best person. Empty when nobody is in it or the sizes differ.
  std::optional<Match> match(const Embedding& face) const;

  // Her consent, if it says that her templates may follow her looks; else null.
  const FaceConsent* ageing(const CustomerId& customer) const {
    const auto found = ageing_.find(customer);
    return found == ageing_.end() ? nullptr : &found->second;
  }

  std::uint64_t generation() const { return generation_; }
  std::size_t people() const { return customers_.size(); }
  std::size_t templates() const { return owner_.size(); }
  bool empty() const { return owner_.empty(); }
  double threshold() const { return threshold_; }

 private:
  Gallery() = default;

  std::uint64_t generation_ = 0;
  double threshold_ = 1.0;
  double margin_ = 0.0;
  std::size_t dimension_ = 0;
  std::vector<CustomerId> customers_;
  std::vector<float> penalty_;        // per customer: what "not this person" adds to the threshold
  std::vector<std::uint32_t> owner_;  // per template: index of its customer
  std::vector<std::int8_t> rows_;     // templates × dimension
  std::vector<float> scale_;          // per template: value = scale × number
  std::unordered_map<CustomerId, FaceConsent> ageing_;
};

// Collects the templates of one snapshot. Needs the consent of each person; a template made by
// another model than `model` is refused (`not_found`: ask for re-enrolment).
class Gallery::Builder {
 public:
  Builder(std::string model, OperatingPoint point);

  // `refuted` = how often staff said "not this person" of this customer's face lately.
  Result<void> add(const FaceConsent& consent, const FaceTemplate& face, int refuted = 0);
  void let_age(const FaceConsent& consent);
  std::shared_ptr<const Gallery> build(std::uint64_t generation) &&;

 private:
  std::string model_;
  OperatingPoint point_;
  std::unordered_map<CustomerId, std::uint32_t> index_;
  Gallery gallery_;
};

}  // namespace welcome::vision
