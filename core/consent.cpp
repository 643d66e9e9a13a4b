// SPDX-License-Identifier: Apache-2.0
#include "core/consent.h"

#include <algorithm>

namespace welcome {

namespace {

// No expiry is the latest one.
bool earlier(const std::optional<WallTime>& a, const std::optional<WallTime>& b) {
  return a && (!b || *a < *b);
}

}  // namespace

ConsentStanding& ConsentStanding::merge(const ConsentStanding& other) {
  if (other.withdrawn_at && (!withdrawn_at || *other.withdrawn_at > *withdrawn_at)) {
    withdrawn_at = other.withdrawn_at;
  }
  if (other.given_at) {
    if (!given_at || *other.given_at > *given_at) {
      given_at = other.given_at;
      expires_at = other.expires_at;
    } else if (*other.given_at == *given_at && earlier(other.expires_at, expires_at)) {
      expires_at = other.expires_at;
    }
  }
  return *this;
}

ConsentStanding standing(const ConsentRecord& record) {
  ConsentStanding result;
  for (const ConsentStep& step : record.history) {
    ConsentStanding one;
    if (step.state == ConsentState::given) {
      one.given_at = step.at;
      one.expires_at = record.expires_at;
    } else {
      one.withdrawn_at = step.at;
    }
    result.merge(one);
  }
  return result;
}

}  // namespace welcome
