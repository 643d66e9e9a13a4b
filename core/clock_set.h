// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether somebody set the wall clock between two moments. Pure; any thread.

#include "core/time.h"

namespace welcome {

// Or it has begun or ceased to be trusted. What was worked out from the one for later does not hold
// any more. A clock that is slewed is not set.
inline bool clock_was_set(const Now& before, const Now& now) {
  const auto apart = (now.wall - before.wall) - (now.mono - before.mono);
  return before.wall_trusted != now.wall_trusted ||
         std::chrono::abs(apart) > std::chrono::seconds{1};
}

}  // namespace welcome
