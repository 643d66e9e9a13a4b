// SPDX-License-Identifier: Apache-2.0
#pragma once
// Inbox<Event>: the only way into the engine from another thread.
//
// Three lanes. Control (links, commands, acknowledgements) and feed (what the CRM says of its
// customers, much at a time) are never dropped in silence: what others send is refused and counted
// beyond a number and a weight, and the CRM is then asked for what is missing; what is bounded by
// ourselves (acknowledgements, the state of a link) always finds room. Sensor (adverts, faces)
// drops its oldest and counts it: news beats history. post_* from any thread; take from the engine
// thread.

#include <cstddef>
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
  struct Capacity {
    std::size_t messages = 10'000;
    std::size_t bytes = 64U << 20U;
    std::size_t sensor = 1000;
  };

  // `wake` is called, on the poster's thread, when the inbox stops being empty.
  Inbox(Capacity capacity, std::function<void()> wake)
      : capacity_(capacity), wake_(std::move(wake)) {}

  void post_control(Event event) { (void)post(control_, {std::move(event), 0}, false); }

  // From outside, of so many bytes. False: no room.
  [[nodiscard]] bool post_message(Event event, std::size_t bytes) {
    return post(control_, {std::move(event), bytes}, true);
  }
  [[nodiscard]] bool post_feed(Event event, std::size_t bytes) {
    return post(feed_, {std::move(event), bytes}, true);
  }
  // What waits of the feed is not wanted any more: the line that brought it broke.
  void drop_feed() {
    std::deque<Waiting> dropped;
    const std::lock_guard lock(mutex_);
    for (const Waiting& one : feed_) bytes_ -= one.bytes;
    dropped.swap(feed_);
  }

  void post_sensor(Event event) {
    {
      const std::lock_guard lock(mutex_);
      if (sensor_.size() >= capacity_.sensor) {
        sensor_.pop_front();
        ++sensor_dropped_;
      }
      sensor_.push_back(std::move(event));
      if (std::exchange(awake_, true)) return;
    }
    wake_();
  }

  // One that may be long to handle, of control and the feed by turns, and before the next all that
  // the sensors have. Call until it is empty; only then is `wake` called again.
  std::vector<Event> take() {
    const std::lock_guard lock(mutex_);
    std::vector<Event> events;
    events.reserve(1 + sensor_.size());
    const bool feed = control_.empty() || (feeds_turn_ && !feed_.empty());
    feeds_turn_ = !feed;
    if (auto& lane = feed ? feed_ : control_; !lane.empty()) {
      bytes_ -= lane.front().bytes;
      events.push_back(std::move(lane.front().event));
      lane.pop_front();
    }
    for (auto& event : sensor_) events.push_back(std::move(event));
    sensor_.clear();
    awake_ = !events.empty();
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
  struct Waiting {
    Event event;
    std::size_t bytes = 0;
  };

  bool post(std::deque<Waiting>& lane, Waiting one, bool may_refuse) {
    {
      const std::lock_guard lock(mutex_);
      if (may_refuse && (control_.size() + feed_.size() >= capacity_.messages ||
                         bytes_ + one.bytes > capacity_.bytes)) {
        ++control_refused_;
        return false;
      }
      bytes_ += one.bytes;
      lane.push_back(std::move(one));
      if (std::exchange(awake_, true)) return true;
    }
    wake_();
    return true;
  }

  const Capacity capacity_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::deque<Waiting> control_, feed_;
  std::size_t bytes_ = 0;  // of all in these two
  bool feeds_turn_ = false;
  std::deque<Event> sensor_;
  bool awake_ = false;  // a wake-up is under way and not yet answered to the end
  std::uint64_t sensor_dropped_ = 0;
  std::uint64_t control_refused_ = 0;
};

}  // namespace welcome::daemon
