// SPDX-License-Identifier: Apache-2.0
#pragma once
// Latency: the last few thousand durations, for percentiles in `status`. Engine thread.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <vector>

namespace welcome::daemon {

class Latency {
 public:
  using Duration = std::chrono::microseconds;

  void add(Duration value) {
    if (values_.size() < kKept) {
      values_.push_back(value);
    } else {
      values_[next_] = value;
    }
    next_ = (next_ + 1) % kKept;
  }

  std::size_t count() const { return values_.size(); }

  // `fraction` 0…1, nearest rank; zero while nothing was measured.
  Duration percentile(double fraction) const {
    if (values_.empty()) return Duration::zero();
    std::vector<Duration> sorted = values_;
    const std::ptrdiff_t rank = std::lround(fraction * static_cast<double>(sorted.size() - 1));
    std::nth_element(sorted.begin(), sorted.begin() + rank, sorted.end());
    return sorted[static_cast<std::size_t>(rank)];
  }

 private:
  static constexpr std::size_t kKept = 4096;
  std::vector<Duration> values_;
  std::size_t next_ = 0;
};

}  // namespace welcome::daemon
