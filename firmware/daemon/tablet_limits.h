// SPDX-License-Identifier: Apache-2.0
#pragma once
// TabletLimits: how much a box takes from each tablet: a bucket of tokens, filled at a rate that no
// person reaches. Asks no clock; one thread.

#include <algorithm>
#include <chrono>
#include <map>
#include <string>

#include "core/time.h"

namespace welcome::daemon {

class TabletLimits {
 public:
  static constexpr double kMost = 120;          // tokens: what may come at once
  static constexpr double kASecond = 2;         // that grow back
  static constexpr double kConsent = 5;         // what one writes down
  static constexpr std::size_t kTablets = 200;  // as many connections as the floor's broker takes

  // False: too much came from it, this is not looked at.
  bool take(const std::string& tablet, double tokens, MonoTime now) {
    auto found = buckets_.find(tablet);
    if (found == buckets_.end()) {
      if (buckets_.size() >= kTablets) drop_full(now);
      if (buckets_.size() >= kTablets) return false;
      found = buckets_.emplace(tablet, Bucket{kMost, now, {}}).first;
    }
    Bucket& bucket = found->second;
    bucket.tokens = at(bucket, now);
    bucket.when = now;
    if (bucket.tokens < tokens) return false;
    bucket.tokens -= tokens;
    return true;
  }

  // It is told at most every ten seconds.
  bool may_tell(const std::string& tablet, MonoTime now) {
    const auto found = buckets_.find(tablet);
    if (found == buckets_.end() || now < found->second.tell_next) return false;
    found->second.tell_next = now + std::chrono::seconds(10);
    return true;
  }

 private:
  struct Bucket {
    double tokens;
    MonoTime when;
    MonoTime tell_next;
  };
  static double at(const Bucket& bucket, MonoTime now) {
    const std::chrono::duration<double> passed = now - bucket.when;
    return std::min(kMost, bucket.tokens + kASecond * passed.count());
  }
  void drop_full(MonoTime now) {
    std::erase_if(buckets_, [&](const auto& entry) { return at(entry.second, now) >= kMost; });
  }

  std::map<std::string, Bucket> buckets_;
};

}  // namespace welcome::daemon
