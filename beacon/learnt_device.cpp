// SPDX-License-Identifier: Apache-2.0
#include "beacon/learnt_device.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace welcome::beacon {
namespace {

// A visit that says something.
constexpr MonoClock::duration kShortestVisit = std::chrono::minutes{1};
constexpr std::uint32_t kFewestReadings = 50;
constexpr std::uint32_t kUpperShare = 10;  // one in so many readings reaches the level
constexpr double kFarthestDb = -19.0;      // 4 m, and as weak as an offset may be

constexpr double kMostPerVisitDb = 3.0;
constexpr int kSlowestStep = 8;  // a change of habit is followed within some ten visits

constexpr int kFewestVisits = 3;
constexpr std::uint32_t kFewestDevices = 8;
constexpr double kMostOffsetDb = 6.0;
constexpr double kDoubt = 2.0;  // as if so many visits more had said 0

constexpr std::uint32_t kAddressMinutes = 60;
constexpr std::size_t kMostCurrent = 8;
constexpr std::size_t kPrandBytes = 3;

constexpr int kLowestDb = -40;   // of readings_
constexpr double kLowest = -32;  // of by_half_db_

std::size_t half_db_of(NearestLevel level) {
  return static_cast<std::size_t>(std::clamp((level.tenths_db / 10.0 - kLowest) * 2, 0.0, 127.0));
}

}  // namespace

void NearestLevel::learn(double level_db) {
  const double before = tenths_db / 10.0;
  const double step = std::clamp(level_db - before, -kMostPerVisitDb, kMostPerVisitDb) /
                      std::min(visits + 1, kSlowestStep);
  tenths_db = static_cast<std::int16_t>(
      std::lround(10.0 * (visits == 0 ? std::clamp(level_db, -60.0, 60.0) : before + step)));
  if (visits < 255) ++visits;
}

void NearestOfVisit::hear(double level_db, MonoTime at) {
  if (count_ == 0) first_ = last_ = at;
  last_ = std::max(last_, at);
  const auto bin = static_cast<std::size_t>(
      std::clamp(std::lround(level_db) - kLowestDb, 0L, static_cast<long>(readings_.size()) - 1));
  ++count_;
  if (++readings_[bin] < 0xFFFFU) return;
  // Hours in one place: the shares stay.
  count_ = 0;
  for (auto& n : readings_) count_ += (n = static_cast<std::uint16_t>(n / 2));
}

std::optional<double> NearestOfVisit::level_db() const {
  if (count_ < kFewestReadings || last_ - first_ < kShortestVisit) return std::nullopt;
  std::uint32_t above = 0;
  std::size_t bin = readings_.size();
  while (above * kUpperShare < count_) above += readings_[--bin];
  const double level = kLowestDb + static_cast<double>(bin);
  if (level < kFarthestDb) return std::nullopt;
  return level;
}

void NearestLevels::add(NearestLevel level) {
  if (level.visits < kFewestVisits) return;
  ++by_half_db_[half_db_of(level)];
  ++count_;
  find_median();
}

void NearestLevels::remove(NearestLevel level) {
  if (level.visits < kFewestVisits) return;
  --by_half_db_[half_db_of(level)];
  --count_;
  find_median();
}

void NearestLevels::find_median() {
  std::uint32_t below = 0;
  std::size_t bin = 0;
  while (bin + 1 < by_half_db_.size() && (below += by_half_db_[bin]) * 2 < count_) ++bin;
  median_db_ = kLowest + static_cast<double>(bin) / 2 + 0.25;
}

double NearestLevels::offset_db(NearestLevel level) const {
  if (level.visits < kFewestVisits || count_ < kFewestDevices) return 0.0;
  const double trust = level.visits / (level.visits + kDoubt);
  return std::clamp(trust * (level.tenths_db / 10.0 - median_db_), -kMostOffsetDb, kMostOffsetDb);
}

HeardAddresses HeardAddresses::restored(std::vector<Current> current,
                                        std::vector<std::uint8_t> past) {
  HeardAddresses out;
  out.current_ = std::move(current);
  out.past_ = std::move(past);
  out.past_.resize(out.past_.size() / kPrandBytes * kPrandBytes);
  return out;
}

HeardAddresses::Age HeardAddresses::hear(std::uint32_t prand, std::uint32_t minute) {
  for (auto one = current_.rbegin(); one != current_.rend(); ++one) {
    if (one->prand != prand) continue;
    // A clock that was set back by more than that is no reason to believe it again.
    const auto [early, late] = std::minmax(minute, one->first_minute);
    return late - early <= kAddressMinutes ? Age::fresh : Age::old;
  }
  for (std::size_t at = 0; at < past_.size(); at += kPrandBytes) {
    const std::uint32_t known =
        (std::uint32_t{past_[at]} << 16U) | (std::uint32_t{past_[at + 1]} << 8U) | past_[at + 2];
    if (known == prand) return Age::old;
  }
  retire(minute);
  current_.push_back({prand, minute});
  return Age::unheard;
}

void HeardAddresses::retire(std::uint32_t minute) {
  while (!current_.empty()) {
    const Current oldest = current_.front();
    const auto [early, late] = std::minmax(minute, oldest.first_minute);
    if (late - early <= kAddressMinutes && current_.size() < kMostCurrent) break;
    for (const unsigned shift : {16U, 8U, 0U}) {
      past_.push_back(static_cast<std::uint8_t>(oldest.prand >> shift));
    }
    current_.erase(current_.begin());
  }
  constexpr std::size_t kMostBytes = (kMost - kMostCurrent) * kPrandBytes;
  if (past_.size() > kMostBytes) {
    past_.erase(past_.begin(), past_.end() - static_cast<std::ptrdiff_t>(kMostBytes));
  }
}

}  // namespace welcome::beacon
