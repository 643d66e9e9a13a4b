// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/pin_checker.h"

#include <sodium.h>
#include <utility>

namespace welcome::daemon {

namespace {

constexpr std::size_t kMostWaiting = 32;

}  // namespace

PinChecker::PinChecker(Done done)
    : done_(std::move(done)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

PinChecker::~PinChecker() = default;

void PinChecker::check(std::uint64_t job, std::string pin, std::string hash) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() < kMostWaiting) {
      jobs_.push_back({job, std::move(pin), std::move(hash)});
      news_.notify_one();
      return;
    }
  }
  sodium_memzero(pin.data(), pin.size());
  done_(job, false);
}

void PinChecker::run(const std::stop_token& stop) {
  for (;;) {
    std::unique_lock lock(mutex_);
    if (!news_.wait(lock, stop, [this] { return !jobs_.empty(); })) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    const bool right =
        crypto_pwhash_str_verify(job.hash.c_str(), job.pin.data(), job.pin.size()) == 0;
    sodium_memzero(job.pin.data(), job.pin.size());
    done_(job.id, right);
  }
}

}  // namespace welcome::daemon
