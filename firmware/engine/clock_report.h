// SPDX-License-Identifier: Apache-2.0
#pragma once
// What time it is, who says so, and what follows from it: as `welcomectl clock` and status show it.
// Any thread.

#include <nlohmann/json_fwd.hpp>

#include "core/timekeeper.h"

namespace welcome::daemon {

nlohmann::json clock_report(const ClockState& state);

}  // namespace welcome::daemon
