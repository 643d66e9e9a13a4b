// SPDX-License-Identifier: Apache-2.0
#include "crm/statistics.h"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <cmath>
#include <cstddef>

namespace welcome::crm {
namespace {

using Beta = boost::math::beta_distribution<double>;

constexpr double kTail = 0.025;
constexpr double kNormal95 = 1.959963984540054;
constexpr int kIntervals = 2000;  // even, for Simpson's rule

Beta posterior(const Tally& tally) {
  return Beta(1.0 + static_cast<double>(tally.hits),
              1.0 + static_cast<double>(tally.of - tally.hits));
}

// Simpson's rule over the part of 0…1 where `arm` has its weight; elsewhere its density is nothing.
double probability_best_of(const std::vector<Beta>& arms, std::size_t arm) {
  const double low = boost::math::quantile(arms[arm], 1e-12);
  const double high = boost::math::quantile(boost::math::complement(arms[arm], 1e-12));
  const double step = (high - low) / kIntervals;
  if (step <= 0.0) return 0.0;
  double sum = 0.0;
  for (int i = 0; i <= kIntervals; ++i) {
    const double x = std::clamp(low + step * i, 0.0, 1.0);
    double value = boost::math::pdf(arms[arm], x);
    for (std::size_t other = 0; other < arms.size(); ++other) {
      if (other != arm) value *= boost::math::cdf(arms[other], x);
    }
    const double weight = i == 0 || i == kIntervals ? 1.0 : (i % 2 == 1 ? 4.0 : 2.0);
    sum += weight * value;
  }
  return sum * step / 3.0;
}

Score share_score(std::int64_t n, double mean, double mean_of_squares, double scale) {
  Score out;
  out.n = n;
  if (n == 0) return out;
  out.value = mean * scale;
  const double variance = std::max(mean_of_squares - mean * mean, 0.0);
  out.margin = kNormal95 * std::sqrt(variance / static_cast<double>(n)) * scale;
  return out;
}

// Each answer counts as `value(answer)`.
template <class Value>
Score mean_score(const std::vector<std::int64_t>& answers, double scale, Value value) {
  double sum = 0.0;
  double squares = 0.0;
  for (const std::int64_t answer : answers) {
    const double v = value(answer);
    sum += v;
    squares += v * v;
  }
  const auto n = static_cast<std::int64_t>(answers.size());
  const double count = std::max(static_cast<double>(n), 1.0);
  return share_score(n, sum / count, squares / count, scale);
}

}  // namespace

Rate rate(const Tally& tally) {
  const Beta beta = posterior(tally);
  return {boost::math::mean(beta), boost::math::quantile(beta, kTail),
          boost::math::quantile(boost::math::complement(beta, kTail))};
}

std::vector<double> probability_best(const std::vector<Tally>& arms) {
  std::vector<Beta> posteriors;
  for (const Tally& arm : arms) posteriors.push_back(posterior(arm));
  std::vector<double> out;
  double sum = 0.0;
  for (std::size_t i = 0; i < posteriors.size(); ++i) {
    out.push_back(probability_best_of(posteriors, i));
    sum += out.back();
  }
  for (double& probability : out) probability /= sum;
  return out;
}

double probability_higher(const Tally& first, const Tally& second) {
  return probability_best({first, second}).front();
}

Score nps(const std::vector<std::int64_t>& answers) {
  return mean_score(answers, 100.0, [](std::int64_t answer) {
    if (answer >= 9) return 1.0;
    return answer <= 6 ? -1.0 : 0.0;
  });
}

Score csat(const std::vector<std::int64_t>& answers) {
  return mean_score(answers, 100.0, [](std::int64_t answer) { return answer >= 4 ? 1.0 : 0.0; });
}

Score ces(const std::vector<std::int64_t>& answers) {
  return mean_score(answers, 1.0, [](std::int64_t answer) { return static_cast<double>(answer); });
}

}  // namespace welcome::crm
