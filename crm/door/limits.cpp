// SPDX-License-Identifier: Apache-2.0
#include "crm/door/limits.h"

namespace welcome::crm {

bool Limit::take(const std::string& whose, MonoTime now) {
  if (buckets_.size() >= kMost && !buckets_.contains(whose)) {
    // Whose bucket is full is as if they had never come. If nobody's is, they all begin again.
    std::erase_if(buckets_,
                  [&](const auto& one) { return one.second.filled(rate_, now) >= rate_.at_once; });
    if (buckets_.size() >= kMost) buckets_.clear();
  }
  return buckets_.try_emplace(whose, TokenBucket::full(rate_, now))
      .first->second.take(rate_, 1, now);
}

}  // namespace welcome::crm
