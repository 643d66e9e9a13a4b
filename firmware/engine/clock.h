// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one place that asks the machine's clocks. Everything else is handed a Now.

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "core/result.h"
#include "core/timekeeper.h"

namespace welcome::daemon {

// Measures our own work (latency, how long the loop was kept): real time also where a recording
// plays. Any thread.
std::chrono::steady_clock::time_point steady_now();

// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual ClockState state() const = 0;
  Now now() const { return state().now; }
  // How long to really wait until `mono` comes; zero when it is past.
  virtual std::chrono::steady_clock::duration until(MonoTime mono) const = 0;

  // A time in a message whose signature was checked, and when it was heard. A clock that does not
  // depend on anybody's word ignores it.
  virtual void crm_says(WallTime /*signed_at*/, MonoTime /*heard*/) {}
  // A technician has compared the machine's clock, when it showed this, with one of their own.
  // Errors: refused (it shows something else by now, or needs no technician).
  virtual Result<void> technician_says(WallTime shown);
  // What is to be remembered until the next boot, and what was. Another boot's text is ignored.
  virtual std::string memory() const { return {}; }
  virtual void remember(const std::string& /*memory*/) {}
};

// Grows each time that the machine's clock, which shows `wall`, is synchronised; nothing: it is
// not. Asked once a second.
using SynchronisedBy = std::function<std::optional<std::int64_t>(WallTime wall)>;

// The machine's own clocks: Timekeeper's readings. Time in suspend counts.
class SystemClock : public Clock {
 public:
  // `boot` is the kernel's id of this boot; without one nothing is remembered.
  SystemClock(SynchronisedBy synchronised, std::string boot);
  ClockState state() const override;
  std::chrono::steady_clock::duration until(MonoTime mono) const override;
  void crm_says(WallTime signed_at, MonoTime heard) override;
  Result<void> technician_says(WallTime shown) override;
  std::string memory() const override;
  void remember(const std::string& memory) override;

 private:
  const SynchronisedBy synchronised_by_;
  const std::string boot_;
  mutable std::mutex mutex_;  // of what follows
  mutable Timekeeper keeper_;
  mutable std::optional<std::int64_t> synchronised_;
  mutable MonoTime next_look_ = MonoTime::min();
};

// The clock of a recording: at real time `epoch` it stands at `start` and runs `speed` times as
// fast. A daemon that is killed and started again finds itself at the right moment of the
// recording, as it would in the world.
class ReplayClock : public Clock {
 public:
  ReplayClock(WallTime epoch, WallTime start, double speed);
  ClockState state() const override;
  std::chrono::steady_clock::duration until(MonoTime mono) const override;

 private:
  std::chrono::steady_clock::time_point epoch_;
  WallTime start_;
  double speed_;
};

}  // namespace welcome::daemon
