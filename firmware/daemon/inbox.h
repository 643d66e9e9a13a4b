#pragma once
// Inbox<Event>: the only way into the engine from another thread.
//
// Two lanes. Control (links, CRM, commands, acknowledgements) is never dropped in silence: when it
// is full, post_control answers false and the poster must make itself heard again (a link
// reconnects, which makes the CRM send what is missing). Sensor (adverts, faces) drops its oldest
// and counts it: news beats history. post_* from any thread; take from the engine thread.

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace welcome::daemon {

template <class Event>
class Inbox {
 public:
  // `wake` is called, on the poster's thread, when the inbox stops being empty.
  Inbox(std::size_t control_capacity, std::size_t sensor_capacity, std::function<void()> wake)
      : control_capacity_(control_capacity),
        sensor_capacity_(sensor_capacity),
        wake_(std::move(wake)) {}

  [[nodiscard]] bool post_control(Event event) {
    {
      const std::lock_guard lock(mutex_);
      if (control_.size() >= control_capacity_) {
        ++control_refused_;
        return false;
      }
      control_.push_back(std::move(event));
      if (std::exchange(awake_, true)) return true;
    }
    wake_();
    return true;
  }

  void post_sensor(Event event) {
    {
      const std::lock_guard lock(mutex_);
      if (sensor_.size() >= sensor_capacity_) {
        sensor_.pop_front();
        ++sensor_dropped_;
      }
      sensor_.push_back(std::move(event));
      if (std::exchange(awake_, true)) return;
    }
    wake_();
  }

  // All that is there, control first.
  std::vector<Event> take() {
    const std::lock_guard lock(mutex_);
    std::vector<Event> events;
    events.reserve(control_.size() + sensor_.size());
    for (auto* lane : {&control_, &sensor_}) {
      for (auto& event : *lane) events.push_back(std::move(event));
      lane->clear();
    }
    awake_ = false;
    return events;
  }

  std::uint64_t sensor_dropped() const {
    const std::lock_guard lock(mutex_);
    return sensor_dropped_;
  }
  std::uint64_t control_refused() const {
    const std::lock_guard lock(mutex_);
    return control_refused_;
  }

 private:
  const std::size_t control_capacity_;
  const std::size_t sensor_capacity_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::deque<Event> control_;
  std::deque<Event> sensor_;
  bool awake_ = false;  // a wake-up is under way and not yet taken
  std::uint64_t sensor_dropped_ = 0;
  std::uint64_t control_refused_ = 0;
};

}  // namespace welcome::daemon
