// SPDX-License-Identifier: Apache-2.0
#include "crm/door/limits.h"

#include <algorithm>
#include <chrono>

namespace welcome::crm {

double Limit::filled(const Bucket& bucket, MonoTime now) const {
  const double passed = std::chrono::duration<double>(now - bucket.at).count();
  return std::min(rate_.at_once, bucket.left + std::max(passed, 0.0) * rate_.per_second);
}

bool Limit::take(const std::string& whose, MonoTime now) {
  if (buckets_.size() >= kMost && !buckets_.contains(whose)) {
    // Whose bucket is full is as if they had never come. If nobody's is, they all begin again.
    std::erase_if(buckets_,
                  [&](const auto& one) { return filled(one.second, now) >= rate_.at_once; });
    if (buckets_.size() >= kMost) buckets_.clear();
  }
  Bucket& bucket = buckets_.try_emplace(whose, Bucket{rate_.at_once, now}).first->second;
  bucket = {filled(bucket, now), now};
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

}  // namespace welcome::crm
