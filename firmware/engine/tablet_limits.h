// SPDX-License-Identifier: Apache-2.0
#pragma once
// TabletLimits: how much a box takes from each tablet: a bucket of tokens, filled at a rate that no
// person reaches. Asks no clock; one thread.

#include <chrono>
#include <map>
#include <string>

#include "core/time.h"
#include "core/token_bucket.h"

namespace welcome::daemon {

class TabletLimits {
 public:
  static constexpr TokenBucket::Rate kRate{120, 2};
  static constexpr double kConsent = 5;         // tokens, for one that is written down
  static constexpr std::size_t kTablets = 200;  // as many connections as the floor's broker takes

  // False: too much came from it, this is not looked at.
  bool take(const std::string& tablet, double tokens, MonoTime now) {
    auto found = buckets_.find(tablet);
    if (found == buckets_.end()) {
      if (buckets_.size() >= kTablets) drop_full(now);
      if (buckets_.size() >= kTablets) return false;
      found = buckets_.emplace(tablet, Tablet{TokenBucket::full(kRate, now), {}}).first;
    }
    return found->second.bucket.take(kRate, tokens, now);
  }

  // It is told at most every ten seconds.
  bool may_tell(const std::string& tablet, MonoTime now) {
    const auto found = buckets_.find(tablet);
    if (found == buckets_.end() || now < found->second.tell_next) return false;
    found->second.tell_next = now + std::chrono::seconds(10);
    return true;
  }

 private:
  struct Tablet {
    TokenBucket bucket;
    MonoTime tell_next;
  };
  void drop_full(MonoTime now) {
    std::erase_if(buckets_, [&](const auto& entry) {
      return entry.second.bucket.filled(kRate, now) >= kRate.at_once;
    });
  }

  std::map<std::string, Tablet> buckets_;
};

}  // namespace welcome::daemon
