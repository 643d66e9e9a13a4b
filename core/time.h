// SPDX-License-Identifier: Apache-2.0
#pragma once
// Time as the rules see it. The core never asks a clock: every entry point takes a Now.
//
// Durations use `mono`. Caps, quiet hours and consent expiry use `wall` and refuse while
// `wall_trusted` is false: nobody who can be believed has said the time (core/timekeeper.h).

#include <chrono>

namespace welcome {

// A monotonic clock without now(): its readings come in from outside.
struct MonoClock {
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonoClock>;
  static constexpr bool is_steady = true;
};

using MonoTime = MonoClock::time_point;                             // since an arbitrary start
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;  // UTC

struct Now {
  MonoTime mono;
  WallTime wall;
  bool wall_trusted = true;
};

}  // namespace welcome
