// SPDX-License-Identifier: Apache-2.0
#pragma once
// Timekeeper: what time it is and how far that can be believed, from what was heard in this boot.
//
// Three may say the time: what synchronises the machine's clock, the CRM by what it signed, and a
// technician. What was said stays good until the next boot, because the time since then is measured
// by a clock that nobody sets. The machine's clock by itself says nothing.
//
// Pure: asks no clock, readings come in. Not for several threads at once.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/time.h"

namespace welcome {

enum class ClockQuality : std::uint8_t { unknown, bounded, synchronised };
enum class ClockSource : std::uint8_t { nobody, ntp, crm, technician, recording };

std::string_view to_string(ClockQuality quality);
std::string_view to_string(ClockSource source);
std::optional<ClockSource> clock_source_from_string(std::string_view text);

// By so much two clocks differ and still agree: what a message takes, and a day's drift.
inline constexpr std::chrono::minutes kClocksAgree{5};

// A time of day that the machine's clock and the CRM's signature agree on. Whatever is deleted
// because it is old asks for one, and a Timekeeper alone makes them: a wrong clock deletes nothing.
class AgreedTime {
 public:
  WallTime wall() const { return wall_; }

 private:
  friend class Timekeeper;
  explicit AgreedTime(WallTime wall) : wall_(wall) {}
  WallTime wall_;
};

// The machine's clocks at one moment.
struct ClockReading {
  MonoTime mono;  // since boot, suspended or not
  WallTime wall;
  // Grows each time the wall clock is synchronised; nothing: it is not.
  std::optional<std::int64_t> synchronised;
};

struct ClockWord {
  WallTime said;
  MonoTime heard;
  WallTime at(MonoTime mono) const {
    return said + std::chrono::floor<std::chrono::milliseconds>(mono - heard);
  }
  friend bool operator==(const ClockWord&, const ClockWord&) = default;
};

struct ClockState {
  Now now;  // trusted from bounded on
  ClockQuality quality = ClockQuality::unknown;
  ClockSource source = ClockSource::nobody;
  WallTime machine;               // what the machine's own clock says
  std::optional<ClockWord> word;  // on which `now` stands
  std::optional<ClockWord> crm;   // the latest time that the CRM's words allow
  std::optional<AgreedTime> agreed;
};

class Timekeeper {
 public:
  ClockState judge(const ClockReading& reading);

  // A time in a message whose signature was checked and that is not played again, and when that
  // was. It may have been under way for long: the latest of all words counts. When for ten minutes
  // none comes up to it, the CRM's own clock had been ahead, and the newest counts.
  void crm_says(const ClockWord& word);
  // They have compared it with a clock of their own.
  void technician_says(const ClockWord& word) { technician_ = word; }
  // From an earlier life of the program in this boot.
  void restore(ClockSource source, const ClockWord& word);

 private:
  void note_synchronised(const ClockReading& reading);

  std::optional<std::int64_t> mark_;
  std::optional<ClockWord> ntp_, crm_, technician_;
  std::optional<MonoTime> crm_behind_since_;
};

}  // namespace welcome
