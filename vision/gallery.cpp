// SPDX-License-Identifier: Apache-2.0
#include "vision/gallery.h"

#include <algorithm>
#include <cmath>

namespace welcome::vision {
namespace {

// Each "not this person" asks for this much more similarity, up to kMaxPenalty.
constexpr float kPenaltyStep = 0.05F;
constexpr float kMaxPenalty = 0.2F;

// A face to look for: 16-bit numbers, small enough that no sum of kMaxValues products overflows.
struct Query {
  std::vector<std::int16_t> values;
  float scale = 0;
};

Query to_query(const std::vector<float>& values) {
  constexpr float kRange = 4000;
  float largest = 1e-9F;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  Query query;
  query.scale = largest / kRange;
  query.values.reserve(values.size());
  for (const float value : values) {
    query.values.push_back(static_cast<std::int16_t>(std::lround(value / query.scale)));
  }
  return query;
}

using Dot = std::int32_t (*)(const std::int8_t*, const std::int16_t*, std::size_t);

std::int32_t dot_plain(const std::int8_t* a, const std::int16_t* b, std::size_t n) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += static_cast<std::int32_t>(a[i]) * static_cast<std::int32_t>(b[i]);
  }
  return sum;
}

#if defined(__x86_64__)
// The same loop for what nearly every x86 box has; Debian's baseline stops at SSE2.
__attribute__((target("avx2"))) std::int32_t dot_avx2(const std::int8_t* a, const std::int16_t* b,
                                                      std::size_t n) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += static_cast<std::int32_t>(a[i]) * static_cast<std::int32_t>(b[i]);
  }
  return sum;
}
Dot choose_dot() { return __builtin_cpu_supports("avx2") ? dot_avx2 : dot_plain; }
#else
Dot choose_dot() { return dot_plain; }
#endif

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

double OperatingPoint::at(double rate) const {
  const double z = upper_quantile(rate / thresholds.worst_group);
  const double middle = upper_quantile(1e-4);
  const bool above = z > middle;
  const double end = upper_quantile(above ? 1e-5 : 1e-3);
  const double slope =
      ((above ? thresholds.fmr_1e5 : thresholds.fmr_1e3) - thresholds.fmr_1e4) / (end - middle);
  return thresholds.fmr_1e4 + (z - middle) * slope;
}

double OperatingPoint::threshold(std::size_t people) const {
  return at(false_match_rate / static_cast<double>(std::max<std::size_t>(people, 1)));
}

std::optional<GalleryMatch> Gallery::match(const Embedding& face) const {
  if (owner_.empty() || face.values.size() != dimension_) return std::nullopt;
  constexpr std::uint32_t kNobody = 0xFFFFFFFF;
  std::uint32_t best = kNobody;
  float best_similarity = -2.0F;
  float second = -1.0F;
  static const Dot dot = choose_dot();
  const Query query = to_query(face.values);
  for (std::size_t row = 0; row < owner_.size(); ++row) {
    const float similarity =
        static_cast<float>(dot(rows_.data() + row * dimension_, query.values.data(), dimension_)) *
        scale_[row] * query.scale;
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
  GalleryMatch match;
  match.customer = customers_[best];
  match.similarity = best_similarity;
  match.second = second;
  const double threshold = threshold_ + static_cast<double>(penalty_[best]);
  match.accepted = static_cast<double>(best_similarity) >= threshold &&
                   static_cast<double>(best_similarity - second) >= margin_;
  return match;
}

FaceModel model_of(const ModelPack& pack) {
  FaceModel model;
  for (const Model& one : pack.recognisers) {
    model.parts.push_back({one.id, static_cast<std::size_t>(one.output_size), one.weight});
  }
  return model;
}

Gallery::Builder::Builder(FaceModel model, OperatingPoint point)
    : model_(std::move(model)), point_(point) {}

Result<void> Gallery::Builder::add(const FaceConsent& consent, const FaceTemplate& face,
                                   int refuted) {
  const auto joined = face.joined(model_);
  if (!joined) {
    return fail(ErrorCode::not_found, "face template: made by another model, enrol again");
  }
  const std::size_t size = joined->values.size();
  if (gallery_.dimension_ == 0) gallery_.dimension_ = size;
  if (size != gallery_.dimension_) return fail(ErrorCode::corrupt, "face template: wrong size");

  const auto [it, added] =
      index_.try_emplace(consent.customer(), static_cast<std::uint32_t>(index_.size()));
  if (added) {
    gallery_.customers_.push_back(consent.customer());
    gallery_.penalty_.push_back(0);
    sums_.push_back({std::vector<float>(size, 0.0F), 0});
  }
  gallery_.penalty_[it->second] =
      std::min(kMaxPenalty, kPenaltyStep * static_cast<float>(std::max(refuted, 0)));
  Sum& sum = sums_[it->second];
  for (std::size_t i = 0; i < size; ++i) sum.values[i] += joined->values[i];
  ++sum.templates;
  ++gallery_.templates_;
  add_row(it->second, joined->values);
  return {};
}

void Gallery::Builder::add_row(std::uint32_t owner, const std::vector<float>& values) {
  float largest = 1e-9F;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  const float scale = largest / 127;
  for (const float value : values) {
    gallery_.rows_.push_back(static_cast<std::int8_t>(std::lround(value / scale)));
  }
  gallery_.owner_.push_back(owner);
  gallery_.scale_.push_back(scale);
}

void Gallery::Builder::let_age(const FaceConsent& consent) {
  gallery_.ageing_.insert_or_assign(consent.customer(), consent);
}

std::shared_ptr<const Gallery> Gallery::Builder::build(std::uint64_t generation) && {
  for (std::uint32_t person = 0; person < sums_.size(); ++person) {
    Sum& sum = sums_[person];
    if (sum.templates < 2) continue;
    double square = 0;
    for (const float value : sum.values) {
      square += static_cast<double>(value) * static_cast<double>(value);
    }
    if (!(square > 1e-6)) continue;
    for (float& value : sum.values) value /= static_cast<float>(std::sqrt(square));
    add_row(person, sum.values);
  }
  gallery_.generation_ = generation;
  gallery_.threshold_ = point_.threshold(gallery_.people());
  gallery_.margin_ = point_.margin;
  return std::shared_ptr<const Gallery>(new Gallery(std::move(gallery_)));
}

}  // namespace welcome::vision
