// SPDX-License-Identifier: Apache-2.0
#pragma once
// Latency: how many durations were no longer than which bound, and the last few thousand of them
// for percentiles. Engine thread.

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace welcome::daemon {

class Latency {
 public:
  using Duration = std::chrono::microseconds;
  // An offer is promised within two seconds.
  static constexpr std::array<std::chrono::milliseconds, 11> kBounds{
      std::chrono::milliseconds(5),    std::chrono::milliseconds(10),
      std::chrono::milliseconds(25),   std::chrono::milliseconds(50),
      std::chrono::milliseconds(100),  std::chrono::milliseconds(250),
      std::chrono::milliseconds(500),  std::chrono::milliseconds(1000),
      std::chrono::milliseconds(2000), std::chrono::milliseconds(5000),
      std::chrono::milliseconds(10000)};

  void add(Duration value) {
    ++count_;
    sum_ += value;
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      if (value <= kBounds[i]) ++within_[i];
    }
    if (values_.size() < kKept) {
      values_.push_back(value);
    } else {
      values_[next_] = value;
    }
    next_ = (next_ + 1) % kKept;
  }

  std::uint64_t count() const { return count_; }
  Duration sum() const { return sum_; }
  // How many were no longer than kBounds[i].
  std::uint64_t within(std::size_t i) const { return within_[i]; }

  // `fraction` 0…1, nearest rank, of those that are kept; zero while nothing was measured.
  Duration percentile(double fraction) const {
    if (values_.empty()) return Duration::zero();
    std::vector<Duration> sorted = values_;
    const std::ptrdiff_t rank = std::lround(fraction * static_cast<double>(sorted.size() - 1));
    std::nth_element(sorted.begin(), sorted.begin() + rank, sorted.end());
    return sorted[static_cast<std::size_t>(rank)];
  }

 private:
  static constexpr std::size_t kKept = 4096;
  std::uint64_t count_ = 0;
  Duration sum_{};
  std::array<std::uint64_t, kBounds.size()> within_{};
  std::vector<Duration> values_;
  std::size_t next_ = 0;
};

}  // namespace welcome::daemon
