// SPDX-License-Identifier: Apache-2.0
#include "beacon/live_source.h"

#include <algorithm>
#include <poll.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace welcome::beacon {

LiveSource::LiveSource(std::chrono::milliseconds first_pause,
                       std::chrono::milliseconds longest_pause)
    : first_pause_(first_pause),
      longest_pause_(longest_pause),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) throw std::runtime_error("no eventfd for the radio");
}

LiveSource::~LiveSource() { ::close(wake_); }

void LiveSource::start(SourceCallbacks callbacks) {
  stop();
  std::uint64_t drained = 0;
  while (::read(wake_, &drained, sizeof drained) > 0) {
  }
  callbacks_ = std::move(callbacks);
  thread_ = std::thread([this] { run(); });
}

void LiveSource::stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_, &one, sizeof one));
  thread_.join();
}

SourceStatus LiveSource::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void LiveSource::run() {
  auto pause = first_pause_;
  set_state(SourceState::starting, "");
  for (;;) {
    const Ended ended = serve();
    if (ended == Ended::stopped) break;
    if (ended == Ended::after_steady_running) pause = first_pause_;
    pollfd stopped{wake_, POLLIN, 0};
    if (::poll(&stopped, 1, static_cast<int>(pause.count())) > 0) break;
    pause = std::min(pause * 2, longest_pause_);
  }
  set_state(SourceState::stopped, "");
}

void LiveSource::set_state(SourceState state, const std::string& detail) {
  SourceStatus copy;
  {
    const std::lock_guard lock(mutex_);
    if (status_.state == state && status_.detail == detail) return;
    status_.state = state;
    status_.detail = detail;
    copy = status_;
  }
  if (callbacks_.state_changed) callbacks_.state_changed(copy);
}

}  // namespace welcome::beacon
