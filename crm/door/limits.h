// SPDX-License-Identifier: Apache-2.0
#pragma once
// How often somebody may do something: so many at once, and so many a second from then on. Whoever
// has not come for a while costs no memory, and however many come, it has an end. One thread.

#include <cstddef>
#include <string>
#include <unordered_map>

#include "core/time.h"
#include "core/token_bucket.h"

namespace welcome::crm {

class Limit {
 public:
  using Rate = TokenBucket::Rate;

  explicit Limit(Rate rate) : rate_(rate) {}

  // False: not now.
  bool take(const std::string& whose, MonoTime now);
  std::size_t size() const { return buckets_.size(); }

 private:
  static constexpr std::size_t kMost = 100'000;
  Rate rate_;
  std::unordered_map<std::string, TokenBucket> buckets_;
};

}  // namespace welcome::crm
