// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/on_sight.h"

namespace welcome::daemon {

bool OnSight::due(const CustomerId& customer, bool has_profile, bool on_sight, MonoTime now) const {
  if (has_profile && !on_sight) return false;
  const auto last = asked_.find(customer);
  return last == asked_.end() || now - last->second >= (has_profile ? kSeenAgain : kAskAgain);
}

void OnSight::asked(const CustomerId& customer, MonoTime now) {
  std::erase_if(asked_, [&](const auto& one) { return now - one.second >= kSeenAgain; });
  asked_[customer] = now;
}

}  // namespace welcome::daemon
