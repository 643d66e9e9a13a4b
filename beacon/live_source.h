// SPDX-License-Identifier: Apache-2.0
#pragma once
// LiveSource: what the sources on a real adapter have in common. A thread serves the adapter, and
// again with a growing pause for as long as it is away; stop() wakes it at once. A derived class
// says how to serve, and calls stop() in its destructor, while that can still be called.

#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include "beacon/source.h"

namespace welcome::beacon {

class LiveSource : public AdvertSource {
 public:
  ~LiveSource() override;
  LiveSource(const LiveSource&) = delete;
  LiveSource& operator=(const LiveSource&) = delete;

  void start(SourceCallbacks callbacks) final;
  void stop() final;
  SourceStatus status() const final;

 protected:
  enum class Ended : std::uint8_t { stopped, early, after_steady_running };

  // Throws std::runtime_error when the system has no descriptor left.
  LiveSource(std::chrono::milliseconds first_pause, std::chrono::milliseconds longest_pause);

  // Opens the adapter and serves it until stop() or until it cannot go on, which it tells by
  // set_state(), and closes it: a device that was unplugged goes only when nobody holds it.
  virtual Ended serve() = 0;

  int wake_fd() const { return wake_; }  // readable once stop() was called
  void set_state(SourceState state, const std::string& detail);
  template <class Change>
  void update_status(Change&& change) {
    const std::lock_guard lock(mutex_);
    change(status_);
  }
  const SourceCallbacks& callbacks() const { return callbacks_; }

 private:
  void run();

  const std::chrono::milliseconds first_pause_;
  const std::chrono::milliseconds longest_pause_;
  const int wake_;
  SourceCallbacks callbacks_;
  std::thread thread_;

  mutable std::mutex mutex_;
  SourceStatus status_;  // guarded by mutex_
};

}  // namespace welcome::beacon
