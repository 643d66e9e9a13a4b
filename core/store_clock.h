// SPDX-License-Identifier: Apache-2.0
#pragma once
// The store's wall clock: UTC to local time by the system's tz database, with daylight saving.
// Also the few words of time that people read.

#include <chrono>
#include <string>
#include <string_view>

#include "core/campaign.h"
#include "core/result.h"
#include "core/time.h"

namespace date {
class time_zone;
}

namespace welcome {

class StoreClock {
 public:
  struct Local {
    std::chrono::local_days day;
    std::chrono::minutes time;  // since local midnight, as a wall clock shows it
    unsigned weekday = 0;       // 0 = Monday
  };

  StoreClock() = default;  // UTC
  // Fails with `refused` for a zone that the tz database does not have.
  static Result<StoreClock> open(const std::string& zone);

  Local local(WallTime t) const;
  // The first instant after `t` from which the local clock is outside `hours`; `t` itself if it
  // already is. Where the clock is put back, the later of the two readings counts.
  WallTime end_of(const DayHours& hours, WallTime t) const;

 private:
  const date::time_zone* zone_ = nullptr;
  // The stretch without a change of offset that was asked for last.
  mutable WallTime begin_{WallTime::max()};
  mutable WallTime end_{WallTime::min()};
  mutable std::chrono::seconds offset_{0};
};

bool within(const DayHours& hours, std::chrono::minutes time);

// When the local day of `t` is over.
WallTime end_of_day(const StoreClock& clock, WallTime t);

// Whether "not today", said at `at`, holds: until the local day is over in which it was said. What
// is said ahead of the clock here counts from when it comes, for a day at most.
bool still_today(const StoreClock& clock, WallTime at, WallTime now);

std::string clock_text(std::chrono::minutes time);       // "21:05"
std::string day_text(std::chrono::local_days day);       // "2026-11-21"
std::string utc_text(WallTime t);                        // "2026-11-21 20:49 UTC"
std::string_view month_name(unsigned month);             // 1 = "January"
std::string duration_text(std::chrono::milliseconds d);  // "5.2 s", "3 min", "2 h", "4 days"

}  // namespace welcome
