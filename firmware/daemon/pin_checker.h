// SPDX-License-Identifier: Apache-2.0
#pragma once
// PinChecker: compares PINs with their argon2id on a thread of its own: it takes a part of a second
// and tens of megabytes, on purpose. One at a time; further ones wait, and beyond some the answer
// is no. What is posted is whether it was right; no PIN leaves.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace welcome::daemon {

class PinChecker {
 public:
  // Called on the checker's thread; on the caller's, when too many wait.
  using Done = std::function<void(std::uint64_t job, bool right)>;

  explicit PinChecker(Done done);
  ~PinChecker();  // waits for the check in progress
  PinChecker(const PinChecker&) = delete;
  PinChecker& operator=(const PinChecker&) = delete;

  // Any thread. `hash` as crypto_pwhash_str() writes it.
  void check(std::uint64_t job, std::string pin, std::string hash);

 private:
  struct Job {
    std::uint64_t id;
    std::string pin;
    std::string hash;
  };
  void run(const std::stop_token& stop);

  const Done done_;
  std::mutex mutex_;
  std::condition_variable_any news_;
  std::deque<Job> jobs_;
  std::jthread thread_;
};

}  // namespace welcome::daemon
