// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/clock.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>

#include "contract/json_text.h"

namespace welcome::daemon {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kLookEvery{1};

WallTime wall_now() {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}

// CLOCK_MONOTONIC stands still in suspend: a box that wakes up would take last night's customers
// for present, and count the CRM's word from yesterday on.
MonoTime since_boot() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return MonoTime(std::chrono::seconds(time.tv_sec) +
                  duration_cast<microseconds>(std::chrono::nanoseconds(time.tv_nsec)));
}

}  // namespace

steady_clock::time_point steady_now() { return steady_clock::now(); }

Result<void> Clock::technician_says(WallTime /*shown*/) {
  return fail(ErrorCode::refused, "the clock of a recording is not set");
}

SystemClock::SystemClock(SynchronisedBy synchronised, std::string boot)
    : synchronised_by_(std::move(synchronised)), boot_(std::move(boot)) {}

ClockState SystemClock::state() const {
  const std::lock_guard lock(mutex_);
  const MonoTime mono = since_boot();
  const WallTime wall = wall_now();
  if (mono >= next_look_) {
    next_look_ = mono + kLookEvery;
    synchronised_ = synchronised_by_(wall);
  }
  return keeper_.judge({mono, wall, synchronised_});
}

void SystemClock::crm_says(WallTime signed_at, MonoTime heard) {
  const std::lock_guard lock(mutex_);
  keeper_.crm_says({signed_at, heard});
}

Result<void> SystemClock::technician_says(WallTime shown) {
  const ClockState is = state();
  if (std::chrono::abs(is.machine - shown) > kClocksAgree) {
    return fail(ErrorCode::refused, "the machine's clock shows another time by now: compare again");
  }
  if (is.quality == ClockQuality::synchronised || is.crm) {
    return fail(ErrorCode::refused, "the time is known already: nobody has to answer for it");
  }
  const std::lock_guard lock(mutex_);
  keeper_.technician_says({is.machine, is.now.mono});
  return {};
}

std::string SystemClock::memory() const {
  const ClockState is = state();
  if (boot_.empty() || !is.word) return {};
  return contract::dump(nlohmann::json{{"boot", boot_},
                                       {"source", to_string(is.source)},
                                       {"said_ms", is.word->said.time_since_epoch().count()},
                                       {"heard_us", is.word->heard.time_since_epoch().count()}});
}

void SystemClock::remember(const std::string& memory) {
  const auto memo = nlohmann::json::parse(memory, nullptr, false);
  const auto part = [&](const char* name, auto fallback) {
    const auto found = memo.is_object() ? memo.find(name) : memo.end();
    using What = decltype(fallback);
    if (found == memo.end()) return fallback;
    const bool fits = std::is_integral_v<What> ? found->is_number_integer() : found->is_string();
    return fits ? found->template get<What>() : fallback;
  };
  const auto source = clock_source_from_string(part("source", std::string()));
  const WallTime said{milliseconds(part("said_ms", std::int64_t{-1}))};
  const MonoTime heard{microseconds(part("heard_us", std::int64_t{-1}))};
  const bool ours = !boot_.empty() && part("boot", std::string()) == boot_;
  if (!ours || !source || said < WallTime{} || heard < MonoTime{} || heard > since_boot()) return;
  const std::lock_guard lock(mutex_);
  keeper_.restore(*source, {said, heard});
}

steady_clock::duration SystemClock::until(MonoTime mono) const {
  return std::max(steady_clock::duration::zero(),
                  duration_cast<steady_clock::duration>(mono - since_boot()));
}

ReplayClock::ReplayClock(WallTime epoch, WallTime start, double speed)
    : epoch_(steady_clock::now() + (epoch - wall_now())), start_(start), speed_(speed) {}

// It is right by definition, and old things are deleted by it.
ClockState ReplayClock::state() const {
  const auto played = duration_cast<microseconds>(
      std::max(steady_clock::duration::zero(), steady_clock::now() - epoch_) * speed_);
  const ClockWord word{start_ + duration_cast<milliseconds>(played), MonoTime(played)};
  Timekeeper keeper;
  keeper.crm_says(word);
  ClockState state = keeper.judge({word.heard, word.said, 0});
  state.source = ClockSource::recording;
  return state;
}

steady_clock::duration ReplayClock::until(MonoTime mono) const {
  const auto due = epoch_ + duration_cast<steady_clock::duration>(mono.time_since_epoch() / speed_);
  return std::max(steady_clock::duration::zero(), due - steady_clock::now());
}

}  // namespace welcome::daemon
