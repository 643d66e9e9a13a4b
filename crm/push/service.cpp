// SPDX-License-Identifier: Apache-2.0
#include "crm/push/service.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <sodium.h>
#include <spdlog/spdlog.h>
#include <thread>

#include "crm/push/pusher.h"
#include "crm/wall_clock.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

constexpr auto kAfterAMistake = 30s;

class PushService : public Beside {
 public:
  PushService(std::unique_ptr<Database> db, SigningKeys keys)
      : db_(std::move(db)), keys_(keys), crm_(*db_, std::move(keys)), pushes_(crm_) {
    thread_ = std::thread([this] { run(); });
  }
  ~PushService() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  PushService(const PushService&) = delete;
  PushService& operator=(const PushService&) = delete;

  void changed() override {
    {
      const std::lock_guard lock(mutex_);
      changed_ = true;
    }
    wake_.notify_one();
  }

 private:
  void run() {
    auto pause = next_pause();
    std::unique_lock lock(mutex_);
    for (;;) {
      const auto called = [this] { return stopping_ || changed_; };
      if (pause) {
        wake_.wait_for(lock, *pause, called);
      } else {
        wake_.wait(lock, called);
      }
      if (stopping_) return;
      changed_ = false;
      lock.unlock();
      pause = next_pause();
      lock.lock();
    }
  }

  // Works, and says how long there is nothing to do; nothing: until something changes.
  std::optional<WallTime::duration> next_pause() {
    try {
      const auto how = pushes_.set_up();
      if (!how) return std::nullopt;
      if (!pusher_ || known_as_ != how->key) take_key(how->key);
      if (!pusher_) return std::nullopt;
      const auto next = pusher_->work(*how, wall_now());
      if (!next) return std::nullopt;
      return std::max(*next - wall_now(), WallTime::duration::zero());
    } catch (const std::exception& error) {
      spdlog::error("push: {}", error.what());
      return kAfterAMistake;
    }
  }

  void take_key(const std::string& name) {
    pusher_.reset();
    known_as_ = name;
    SigningSeed seed = keys_.seed(kPushKey);
    auto key = P256::of(seed);
    sodium_memzero(seed.data(), seed.size());
    if (!key) throw DatabaseError("the key of push is damaged: put it back from a copy");
    pusher_.emplace(crm_, std::move(*key), push_over_https());
    spdlog::info("push: ready");
  }

  std::unique_ptr<Database> db_;
  SigningKeys keys_;
  Crm crm_;
  Pushes pushes_;
  std::optional<Pusher> pusher_;
  std::string known_as_;  // the public half of the key that it has, or tried to read
  std::mutex mutex_;
  std::condition_variable wake_;
  bool changed_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Beside> open_pusher(std::unique_ptr<Database> db, SigningKeys keys) {
  return std::make_unique<PushService>(std::move(db), std::move(keys));
}

}  // namespace welcome::crm
