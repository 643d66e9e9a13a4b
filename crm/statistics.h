// SPDX-License-Identifier: Apache-2.0
#pragma once
// The arithmetic of reports: pure, and the same numbers for the same counts on every machine.
//
// Rates: Beta(1 + hits, 1 + misses), the posterior of a uniform prior (Gelman et al., Bayesian Data
// Analysis, 3rd ed., section 2.4). Probability of being best: the integral of one posterior's
// density times the distribution functions of the others, by Simpson's rule on a fixed grid; no
// random numbers.

#include <cstdint>
#include <vector>

namespace welcome::crm {

struct Tally {
  std::int64_t of = 0;
  std::int64_t hits = 0;  // 0…of
};

struct Rate {
  double estimate = 0.0;  // posterior mean
  double low = 0.0;       // 95 % credible interval, equal tails
  double high = 0.0;
};

Rate rate(const Tally& tally);

// For each arm the probability that its true rate is the highest; they add up to 1.
std::vector<double> probability_best(const std::vector<Tally>& arms);

// The probability that the first arm's true rate is higher than the second's.
double probability_higher(const Tally& first, const Tally& second);

// A survey score with a 95 % margin (normal approximation); `n` answers.
struct Score {
  std::int64_t n = 0;
  double value = 0.0;
  double margin = 0.0;
};

// Net Promoter Score: share of 9 and 10 minus share of 0…6, −100…100 (Reichheld, "The One Number
// You Need to Grow", HBR December 2003).
Score nps(const std::vector<std::int64_t>& answers);
// Customer satisfaction, top two boxes of a scale of 1…5: share of 4 and 5, 0…100 %.
Score csat(const std::vector<std::int64_t>& answers);
// Customer Effort Score 2.0 (CEB): mean agreement on a scale of 1…7.
Score ces(const std::vector<std::int64_t>& answers);

}  // namespace welcome::crm
