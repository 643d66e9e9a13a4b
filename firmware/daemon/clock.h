#pragma once
// The one place that asks the machine's clocks. Everything else is handed a Now.

#include <chrono>

#include "firmware/core/time.h"

namespace welcome::daemon {

// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Now now() const = 0;
  // How long to really wait until `mono` comes; zero when it is past.
  virtual std::chrono::steady_clock::duration until(MonoTime mono) const = 0;
};

// The machine's own clocks. The wall clock is trusted once the kernel says that it is
// synchronised (adjtimex), or when it is later than the last moment this box wrote down.
class SystemClock : public Clock {
 public:
  explicit SystemClock(WallTime last_known);
  Now now() const override;
  std::chrono::steady_clock::duration until(MonoTime mono) const override;

 private:
  WallTime last_known_;
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
