// SPDX-License-Identifier: Apache-2.0
#pragma once
// Thompson sampling over the variants of a campaign (Thompson 1933; Chapelle and Li 2011): each
// variant has a Beta(1 + redeemed, 1 + not redeemed) belief, per segment; draw from each, take the
// best. An exploration floor keeps a share of customers evenly spread.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/campaign.h"
#include "core/hash.h"
#include "core/ids.h"
#include "core/result.h"

namespace welcome {

// Gamma(shape, 1), shape ≥ 1: Marsaglia and Tsang (2000).
double draw_gamma(double shape, Random& random);
double draw_beta(double a, double b, Random& random);

class Learner {
 public:
  struct Counts {
    std::int64_t sent = 0;
    std::int64_t succeeded = 0;
  };

  void sent(const CampaignId& campaign, const std::string& segment, const std::string& variant);
  void succeeded(const CampaignId& campaign, const std::string& segment,
                 const std::string& variant);
  Counts counts(const CampaignId& campaign, const std::string& segment,
                const std::string& variant) const;
  bool forget(const CampaignId& campaign);  // true: there was something
  std::vector<CampaignId> campaigns() const;

  struct Draw {
    std::size_t variant = 0;
    bool explored = false;        // came from the floor
    std::vector<double> sampled;  // per variant; empty if explored
  };
  // `seed` fixes the draw: the same seed and the same history give the same answer.
  Draw draw(const Campaign& campaign, const std::string& segment, double floor,
            std::uint64_t seed) const;

  // One row per campaign. load() adds what encode() wrote.
  std::string encode(const CampaignId& campaign) const;
  Result<void> load(const CampaignId& campaign, std::string_view text);

 private:
  std::map<std::tuple<CampaignId, std::string, std::string>, Counts> counts_;
};

// Picks an index with the given weights; `u` in [0, 1).
std::size_t pick_weighted(const std::vector<Variant>& variants, double u);

}  // namespace welcome
