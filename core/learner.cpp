// SPDX-License-Identifier: Apache-2.0
#include "core/learner.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

namespace welcome {

double draw_gamma(double shape, Random& random) {
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    // Box and Muller's transform; 1 − u keeps the logarithm finite.
    const double radius = std::sqrt(-2.0 * std::log(1.0 - random.uniform()));
    const double x = radius * std::cos(2.0 * std::numbers::pi * random.uniform());
    const double v = std::pow(1.0 + c * x, 3);
    const double u = 1.0 - random.uniform();
    if (v > 0 && std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double draw_beta(double a, double b, Random& random) {
  const double x = draw_gamma(a, random);
  const double y = draw_gamma(b, random);
  return x / (x + y);
}

void Learner::sent(const CampaignId& campaign, const std::string& segment,
                   const std::string& variant) {
  ++counts_[{campaign, segment, variant}].sent;
}

void Learner::succeeded(const CampaignId& campaign, const std::string& segment,
                        const std::string& variant) {
  Counts& c = counts_[{campaign, segment, variant}];
  c.succeeded = std::min(c.succeeded + 1, c.sent);
}

Learner::Counts Learner::counts(const CampaignId& campaign, const std::string& segment,
                                const std::string& variant) const {
  const auto it = counts_.find({campaign, segment, variant});
  return it == counts_.end() ? Counts{} : it->second;
}

bool Learner::forget(const CampaignId& campaign) {
  return std::erase_if(counts_, [&](const auto& e) { return std::get<0>(e.first) == campaign; }) >
         0;
}

std::vector<CampaignId> Learner::campaigns() const {
  std::vector<CampaignId> out;
  for (const auto& [key, counts] : counts_) {
    if (out.empty() || out.back() != std::get<0>(key)) out.push_back(std::get<0>(key));
  }
  return out;
}

Learner::Draw Learner::draw(const Campaign& campaign, const std::string& segment, double floor,
                            std::uint64_t seed) const {
  Random random(seed);
  Draw result;
  if (random.uniform() < floor) {
    result.explored = true;
    result.variant = std::min(
        static_cast<std::size_t>(random.uniform() * static_cast<double>(campaign.variants.size())),
        campaign.variants.size() - 1);
    return result;
  }
  for (const Variant& v : campaign.variants) {
    const Counts c = counts(campaign.id, segment, v.id);
    result.sampled.push_back(draw_beta(1.0 + static_cast<double>(c.succeeded),
                                       1.0 + static_cast<double>(c.sent - c.succeeded), random));
  }
  const auto best = std::max_element(result.sampled.begin(), result.sampled.end());
  result.variant = static_cast<std::size_t>(best - result.sampled.begin());
  return result;
}

std::string Learner::encode(const CampaignId& campaign) const {
  using Json = nlohmann::json;
  Json j = Json::array();
  for (auto it = counts_.lower_bound({campaign, "", ""});
       it != counts_.end() && std::get<0>(it->first) == campaign; ++it) {
    const auto& [key, c] = *it;
    j.push_back({std::get<1>(key), std::get<2>(key), c.sent, c.succeeded});
  }
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<void> Learner::load(const CampaignId& campaign, std::string_view text) {
  try {
    for (const auto& e : nlohmann::json::parse(text)) {
      counts_[{campaign, e.at(0).get<std::string>(), e.at(1).get<std::string>()}] = {
          e.at(2).get<std::int64_t>(), e.at(3).get<std::int64_t>()};
    }
    return {};
  } catch (const std::exception&) {
    return fail(ErrorCode::corrupt, "the learner's row cannot be read");
  }
}

std::size_t pick_weighted(const std::vector<Variant>& variants, double u) {
  double total = 0.0;
  for (const Variant& v : variants) total += v.weight;
  double at = u * total;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    at -= variants[i].weight;
    if (at < 0.0) return i;
  }
  return variants.size() - 1;
}

}  // namespace welcome
