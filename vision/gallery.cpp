#include "vision/gallery.h"

#include <algorithm>
#include <cmath>

#include "firmware/core/sighting.h"

namespace welcome::vision {
namespace {

// Each "not this person" asks for this much more similarity, up to kMaxPenalty.
constexpr float kPenaltyStep = 0.05F;
constexpr float kMaxPenalty = 0.2F;

// Four sums at a time, so that the compiler can use vector registers without reordering rules.
float dot(const float* a, const float* b, std::size_t n) {
  float s0 = 0;
  float s1 = 0;
  float s2 = 0;
  float s3 = 0;
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < n; ++i) s0 += a[i] * b[i];
  return (s0 + s1) + (s2 + s3);
}

// z with P(Z > z) = rate for a standard normal Z.
double upper_quantile(double rate) {
  double low = -8;
  double high = 38;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(middle / std::sqrt(2.0)) > rate ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

OperatingPoint OperatingPoint::of(const Model& embedder, double false_match_rate) {
  OperatingPoint point;
  point.false_match_rate = false_match_rate;
  const double near = upper_quantile(1e-3);
  const double far = upper_quantile(1e-4);
  point.sigma = (embedder.threshold_1e4 - embedder.threshold_1e3) / (far - near);
  point.mean = embedder.threshold_1e3 - near * point.sigma;
  return point;
}

double OperatingPoint::at(double rate) const { return mean + sigma * upper_quantile(rate); }

double OperatingPoint::threshold(std::size_t people) const {
  return at(false_match_rate / static_cast<double>(std::max<std::size_t>(people, 1)));
}

std::optional<Match> Gallery::match(const Embedding& face) const {
  if (owner_.empty() || face.values.size() != dimension_) return std::nullopt;
  constexpr std::uint32_t kNobody = 0xFFFFFFFF;
  std::uint32_t best = kNobody;
  float best_similarity = -2.0F;
  float second = -1.0F;
  for (std::size_t row = 0; row < owner_.size(); ++row) {
    const float similarity = dot(rows_.data() + row * dimension_, face.values.data(), dimension_);
    if (owner_[row] == best) {
      best_similarity = std::max(best_similarity, similarity);
    } else if (similarity > best_similarity) {
      second = std::max(second, best_similarity);
      best_similarity = similarity;
      best = owner_[row];
    } else {
      second = std::max(second, similarity);
    }
  }
  Match match;
  match.customer = customers_[best];
  match.similarity = best_similarity;
  match.second = second;
  const double threshold = threshold_ + static_cast<double>(penalty_[best]);
  match.accepted = static_cast<double>(best_similarity) >= threshold &&
                   static_cast<double>(best_similarity - second) >= margin_;
  return match;
}

Gallery::Builder::Builder(std::string model, OperatingPoint point)
    : model_(std::move(model)), point_(point) {}

Result<void> Gallery::Builder::add(const FaceConsent& consent, const FaceTemplate& face,
                                   int refuted) {
  if (face.model() != model_) {
    return fail(ErrorCode::not_found, "face template: made by another model, enrol again");
  }
  const std::size_t size = face.values_.size();
  if (gallery_.dimension_ == 0) gallery_.dimension_ = size;
  if (size != gallery_.dimension_) return fail(ErrorCode::corrupt, "face template: wrong size");

  auto& customers = gallery_.customers_;
  // Templates of one person come together, so the last customer is the usual hit.
  const auto it = std::find(customers.rbegin(), customers.rend(), consent.customer());
  std::size_t index = customers.size();
  if (it == customers.rend()) {
    customers.push_back(consent.customer());
    gallery_.penalty_.push_back(0);
  } else {
    index = static_cast<std::size_t>(customers.rend() - it) - 1;
  }
  gallery_.penalty_[index] =
      std::min(kMaxPenalty, kPenaltyStep * static_cast<float>(std::max(refuted, 0)));
  gallery_.owner_.push_back(static_cast<std::uint32_t>(index));
  gallery_.rows_.insert(gallery_.rows_.end(), face.values_.begin(), face.values_.end());
  return {};
}

std::shared_ptr<const Gallery> Gallery::Builder::build(std::uint64_t generation) && {
  gallery_.generation_ = generation;
  gallery_.threshold_ = point_.threshold(gallery_.people());
  gallery_.margin_ = point_.margin;
  return std::shared_ptr<const Gallery>(new Gallery(std::move(gallery_)));
}

}  // namespace welcome::vision
