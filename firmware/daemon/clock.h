// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one place that asks the machine's clocks. Everything else is handed a Now.

#include <atomic>
#include <chrono>
#include <cstdint>

#include "core/time.h"

namespace welcome::daemon {

// Measures our own work (latency, how long the loop was kept): real time also where a recording
// plays. Any thread.
std::chrono::steady_clock::time_point steady_now();

// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now now() const = 0;
  // How long to really wait until `mono` comes; zero when it is past.
  virtual std::chrono::steady_clock::duration until(MonoTime mono) const = 0;
};

// Whether a wall time can be believed: the kernel says that it is synchronised, or it is later than
// what the box wrote down and not before what it has seen. A clock that starts in the past or was
// set back is believed once it has caught up or was synchronised. Any thread.
class WallTrust {
 public:
  explicit WallTrust(WallTime last_known) : latest_(last_known.time_since_epoch().count()) {}
  bool judge(WallTime wall, bool synchronised);

 private:
  std::atomic<std::int64_t> latest_;  // ms since 1970
};

// The machine's own clocks.
class SystemClock : public Clock {
 public:
  explicit SystemClock(WallTime last_known);
  Now now() const override;
  std::chrono::steady_clock::duration until(MonoTime mono) const override;

 private:
  mutable WallTrust trust_;
};

// The clock of a recording: at real time `epoch` it stands at `start` and runs `speed` times as
// fast. A daemon that is killed and started again finds itself at the right moment of the
// recording, as it would in the world.
class ReplayClock : public Clock {
 public:
  ReplayClock(WallTime epoch, WallTime start, double speed);
  Now now() const override;
  std::chrono::steady_clock::duration until(MonoTime mono) const override;

 private:
  std::chrono::steady_clock::time_point epoch_;
  WallTime start_;
  double speed_;
};

}  // namespace welcome::daemon
