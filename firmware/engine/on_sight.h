// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whose profile is to be asked for: a box may have only the profiles of those who come to it
// (docs/decisions/0192). Engine thread.

#include <chrono>
#include <unordered_map>

#include "core/identity.h"
#include "core/time.h"

namespace welcome::daemon {

class OnSight {
 public:
  // Again for who has no profile yet; and to say that one is still needed, where a box has those
  // alone that it has seen.
  static constexpr std::chrono::hours kAskAgain{1};
  static constexpr std::chrono::hours kSeenAgain{20};

  // `on_sight`: profiles come to this box so, as their head says.
  bool due(const CustomerId& customer, bool has_profile, bool on_sight, MonoTime now) const;
  // Once it is stored that they are asked for.
  void asked(const CustomerId& customer, MonoTime now);

 private:
  std::unordered_map<CustomerId, MonoTime> asked_;
};

}  // namespace welcome::daemon
