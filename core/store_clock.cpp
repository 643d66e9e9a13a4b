// SPDX-License-Identifier: Apache-2.0
#include "core/store_clock.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <date/tz.h>

namespace welcome {

namespace chr = std::chrono;

Result<StoreClock> StoreClock::open(const std::string& zone) {
  StoreClock clock;
  if (zone == "UTC") return clock;
  try {
    clock.zone_ = date::locate_zone(zone);
  } catch (const std::exception&) {
    return fail(ErrorCode::refused, "time zone is not in the tz database");
  }
  return clock;
}

StoreClock::Local StoreClock::local(WallTime t) const {
  if (zone_ && !(begin_ <= t && t < end_)) {
    const date::sys_info info =
        zone_->get_info(date::sys_seconds{chr::floor<chr::seconds>(t).time_since_epoch()});
    // The first and last stretch of a zone reach beyond what milliseconds can say.
    const auto to_wall = [](date::sys_seconds s) {
      constexpr auto kLimit = chr::duration_cast<chr::seconds>(WallTime::max().time_since_epoch());
      return WallTime{std::clamp(s.time_since_epoch(), -kLimit, kLimit)};
    };
    begin_ = to_wall(info.begin);
    end_ = to_wall(info.end);
    offset_ = info.offset;
  }
  const chr::local_time<chr::milliseconds> local{t.time_since_epoch() + offset_};
  Local result;
  result.day = chr::floor<chr::days>(local);
  result.time = chr::floor<chr::minutes>(local - result.day);
  result.weekday = chr::weekday{result.day}.iso_encoding() - 1;
  return result;
}

WallTime StoreClock::end_of(const DayHours& hours, WallTime t) const {
  // Twice at most: an end on the clock may fall on a day when that hour comes a second time.
  for (int i = 0; i < 3 && within(hours, local(t).time); ++i) {
    const Local now = local(t);
    const chr::local_days day = now.time < hours.to ? now.day : now.day + chr::days{1};
    const date::local_seconds end{chr::seconds{day.time_since_epoch()} + chr::seconds{hours.to}};
    const chr::seconds sys = zone_ ? zone_->to_sys(end, date::choose::latest).time_since_epoch()
                                   : end.time_since_epoch();
    t = std::max(t, WallTime{sys});
  }
  return t;
}

WallTime end_of_day(const StoreClock& clock, WallTime t) {
  constexpr DayHours kUntilTheLastMinute{chr::hours{0}, chr::hours{24} - chr::minutes{1}};
  return chr::floor<chr::minutes>(clock.end_of(kUntilTheLastMinute, t)) + chr::minutes{1};
}

bool still_today(const StoreClock& clock, WallTime at, WallTime now) {
  return clock.local(at).day >= clock.local(now).day && at - now <= chr::hours{24};
}

bool within(const DayHours& hours, chr::minutes time) {
  if (hours.from <= hours.to) return hours.from <= time && time < hours.to;
  return time >= hours.from || time < hours.to;
}

namespace {

template <class... Args>
std::string print(const char* format, Args... args) {
  std::array<char, 64> buffer{};
  const int n = std::snprintf(buffer.data(), buffer.size(), format, args...);
  return {buffer.data(), static_cast<std::size_t>(std::max(n, 0))};
}

}  // namespace

std::string clock_text(chr::minutes time) {
  return print("%02d:%02d", static_cast<int>(time.count() / 60),
               static_cast<int>(time.count() % 60));
}

std::string day_text(chr::local_days day) {
  const chr::year_month_day ymd{day};
  return print("%04d-%02u-%02u", static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()),
               static_cast<unsigned>(ymd.day()));
}

std::string utc_text(WallTime t) {
  const auto day = chr::floor<chr::days>(t);
  return day_text(chr::local_days{day.time_since_epoch()}) + " " +
         clock_text(chr::floor<chr::minutes>(t - day)) + " UTC";
}

std::string_view month_name(unsigned month) {
  static constexpr std::array<std::string_view, 12> kNames{
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  return month >= 1 && month <= 12 ? kNames[month - 1] : "?";
}

std::string duration_text(chr::milliseconds d) {
  const double s = static_cast<double>(d.count()) / 1000.0;
  if (s < 120) return print("%.1f s", s);
  if (s < 7200) return print("%.0f min", s / 60);
  if (s < 172800) return print("%.0f h", s / 3600);
  return print("%.0f days", s / 86400);
}

}  // namespace welcome
