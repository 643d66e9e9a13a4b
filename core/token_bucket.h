// SPDX-License-Identifier: Apache-2.0
#pragma once
// TokenBucket: how often somebody may do something: so many at once, and so many a second from then
// on. A value; asks no clock.

#include <algorithm>
#include <chrono>

#include "core/time.h"

namespace welcome {

struct TokenBucket {
  struct Rate {
    double at_once;
    double per_second;
  };
  double left;
  MonoTime at;

  static TokenBucket full(const Rate& rate, MonoTime now) { return {rate.at_once, now}; }

  double filled(const Rate& rate, MonoTime now) const {
    const double passed = std::chrono::duration<double>(now - at).count();
    return std::min(rate.at_once, left + std::max(passed, 0.0) * rate.per_second);
  }
  // False: not now.
  bool take(const Rate& rate, double tokens, MonoTime now) {
    left = filled(rate, now);
    at = now;
    if (left < tokens) return false;
    left -= tokens;
    return true;
  }
};

}  // namespace welcome
