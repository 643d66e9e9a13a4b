// SPDX-License-Identifier: Apache-2.0
// The learner against a uniform split and against the best fixed choice, on simulated customers.
// Prints CSV: policy, customers, mean regret in redemptions, 5 % and 95 % quantile over the runs.
// `bench/learner_regret.py` draws it.

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/learner.h"

namespace welcome {
namespace {

constexpr int kRuns = 200;
constexpr int kCustomers = 10'000;
constexpr int kEvery = 250;
// Redemption rates of four variants, in two segments that like different ones.
constexpr std::array<std::array<double, 4>, 2> kRates{
    {{0.04, 0.05, 0.06, 0.09}, {0.10, 0.05, 0.06, 0.03}}};

enum class Way { uniform, pooled, by_segment, best_fixed };
constexpr std::array kWays{std::pair{Way::uniform, "uniform split"},
                           std::pair{Way::pooled, "learning for all together"},
                           std::pair{Way::by_segment, "learning per segment"},
                           std::pair{Way::best_fixed, "best fixed variant"}};

// Regret against the one who knows the best variant of each segment, after each kEvery customers.
std::vector<double> run(Way way, std::uint64_t seed) {
  Campaign campaign;
  campaign.id = CampaignId("k");
  for (const char* id : {"a", "b", "c", "d"}) {
    Variant v;
    v.id = id;
    campaign.variants.push_back(v);
  }
  Learner learner;
  Random world(mix64(seed));
  std::vector<double> curve;
  double regret = 0;
  for (int i = 1; i <= kCustomers; ++i) {
    const std::size_t segment = world.uniform() < 0.6 ? 0 : 1;
    const auto& rates = kRates[segment];
    const std::string name = way == Way::by_segment ? (segment == 0 ? "s" : "t") : "";
    std::size_t variant = 3;  // the best for all: 0.6 * 0.09 + 0.4 * 0.03
    if (way == Way::uniform) {
      variant = pick_weighted(campaign.variants, world.uniform());
    } else if (way == Way::best_fixed) {
      variant = 3;
      for (std::size_t v = 0; v < 4; ++v) {
        const auto overall = [](std::size_t k) { return 0.6 * kRates[0][k] + 0.4 * kRates[1][k]; };
        if (overall(v) > overall(variant)) variant = v;
      }
    } else {
      variant = learner.draw(campaign, name, 0.1, world.next()).variant;
    }
    if (way == Way::pooled || way == Way::by_segment) {
      const std::string& id = campaign.variants[variant].id;
      learner.sent(campaign.id, name, id);
      if (world.uniform() < rates[variant]) learner.succeeded(campaign.id, name, id);
    }
    regret += *std::max_element(rates.begin(), rates.end()) - rates[variant];
    if (i % kEvery == 0) curve.push_back(regret);
  }
  return curve;
}

}  // namespace
}  // namespace welcome

int main() {
  using namespace welcome;
  std::puts("policy,customers,mean,low,high");
  for (const auto& [way, name] : kWays) {
    std::vector<std::vector<double>> runs;
    for (int r = 0; r < kRuns; ++r) runs.push_back(run(way, static_cast<std::uint64_t>(r)));
    for (std::size_t i = 0; i < runs[0].size(); ++i) {
      std::vector<double> at;
      double sum = 0;
      for (const auto& c : runs) {
        at.push_back(c[i]);
        sum += c[i];
      }
      std::sort(at.begin(), at.end());
      std::printf("%s,%zu,%.2f,%.2f,%.2f\n", name, (i + 1) * kEvery, sum / kRuns, at[kRuns / 20],
                  at[kRuns - 1 - kRuns / 20]);
    }
  }
}
