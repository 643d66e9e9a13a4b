// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/clock.h"

#include <algorithm>
#include <sys/timex.h>

namespace welcome::daemon {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// By so much a clock that is being steered may step back.
constexpr milliseconds kCorrection{1000};

WallTime wall_now() {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}

bool kernel_says_synchronised() {
  timex state{};
  return adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
}

}  // namespace

steady_clock::time_point steady_now() { return steady_clock::now(); }

bool WallTrust::judge(WallTime wall, bool synchronised) {
  const std::int64_t ms = wall.time_since_epoch().count();
  if (synchronised) {
    latest_ = ms;  // back, if the kernel says so
    return true;
  }
  std::int64_t latest = latest_;
  while (ms > latest && !latest_.compare_exchange_weak(latest, ms)) {
  }
  return ms > latest - kCorrection.count();
}

SystemClock::SystemClock(WallTime last_known) : trust_(last_known) {}

Now SystemClock::now() const {
  const auto mono = MonoTime(duration_cast<microseconds>(steady_clock::now().time_since_epoch()));
  const auto wall = wall_now();
  return {mono, wall, trust_.judge(wall, kernel_says_synchronised())};
}

steady_clock::duration SystemClock::until(MonoTime mono) const {
  const auto due = steady_clock::time_point(mono.time_since_epoch());
  return std::max(steady_clock::duration::zero(), due - steady_clock::now());
}

ReplayClock::ReplayClock(WallTime epoch, WallTime start, double speed)
    : epoch_(steady_clock::now() + (epoch - wall_now())), start_(start), speed_(speed) {}

Now ReplayClock::now() const {
  const auto played = duration_cast<microseconds>(
      std::max(steady_clock::duration::zero(), steady_clock::now() - epoch_) * speed_);
  return {MonoTime(played), start_ + duration_cast<milliseconds>(played), true};
}

steady_clock::duration ReplayClock::until(MonoTime mono) const {
  const auto due = epoch_ + duration_cast<steady_clock::duration>(mono.time_since_epoch() / speed_);
  return std::max(steady_clock::duration::zero(), due - steady_clock::now());
}

}  // namespace welcome::daemon
