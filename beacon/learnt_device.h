// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a box learns of a device by hearing it: how far its clock is off, how strong it is, and
// which resolvable addresses it has had.
//
// Strength: devices differ by 10 dB in what they send, in a pocket or beside it, and few say so.
// But on a visit everybody comes near the box at some time, and how a device is heard *then*, visit
// after visit, tells it from the others. So a device has a nearest level, and its offset is how
// that differs from the median of all devices. Slow, and bounded: a wrong one can do little.
// Pure; one thread.

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/time.h"

namespace welcome::beacon {

// What a device is usually heard with at its nearest, relative to 1 m.
struct NearestLevel {
  std::int16_t tenths_db = 0;
  std::uint8_t visits = 0;  // that it was learnt from; 255 is many

  // One more visit. A single one moves it by 3 dB at most, and ever less.
  void learn(double level_db);
};

// The readings of one visit.
class NearestOfVisit {
 public:
  void hear(double level_db, MonoTime at);
  // The level that a tenth of the readings reach: the few loudest may be reflections. Nothing when
  // she was here for less than a minute, heard less than 50 times, or never came near: somebody
  // who passes by, or lives next door, teaches nothing.
  std::optional<double> level_db() const;

 private:
  std::array<std::uint16_t, 64> readings_{};  // by dB
  std::uint32_t count_ = 0;
  MonoTime first_;
  MonoTime last_;
};

// All devices of this box that have a nearest level worth comparing.
class NearestLevels {
 public:
  void add(NearestLevel level);
  void remove(NearestLevel level);
  // How much stronger a device is than most: at most 6 dB either way. 0 before its third visit,
  // and while fewer than eight devices are known.
  double offset_db(NearestLevel level) const;

 private:
  void find_median();

  std::array<std::uint32_t, 128> by_half_db_{};
  std::uint32_t count_ = 0;
  double median_db_ = 0.0;
};

// The resolvable private addresses that a box has heard of one device. Such an address holds for
// ever whoever records it, and only its change shows that a device is alive: the Core Specification
// has it replaced after 15 minutes, and after an hour at most (Vol 4, Part E, 7.8.45). So an
// address proves something for an hour after it was first heard here, and never again.
class HeardAddresses {
 public:
  static constexpr std::size_t kMost = 512;  // what was heard before them is forgotten

  struct Current {
    std::uint32_t prand = 0;         // the random half of the address, 24 bits
    std::uint32_t first_minute = 0;  // when it was first heard, in Unix time
  };

  enum class Age : std::uint8_t { unheard, fresh, old };
  // `unheard` once for each, and it is noted.
  Age hear(std::uint32_t prand, std::uint32_t minute);

  const std::vector<Current>& current() const { return current_; }
  // Those that prove nothing any more, three bytes each; when they were heard is not kept.
  const std::vector<std::uint8_t>& past() const { return past_; }
  // As they were kept.
  static HeardAddresses restored(std::vector<Current> current, std::vector<std::uint8_t> past);

  std::size_t bytes() const { return current_.capacity() * sizeof(Current) + past_.capacity(); }

 private:
  void retire(std::uint32_t minute);

  std::vector<Current> current_;    // oldest first
  std::vector<std::uint8_t> past_;  // oldest first
};

struct LearntDevice {
  std::int32_t clock_ahead_s = 0;  // its clock was ahead of ours by this …
  std::int64_t clock_at_s = 0;     // … then, in Unix time; 0: never learnt
  NearestLevel nearest;
  HeardAddresses addresses;
};

// By device_hash(): of the CRM's id of an identity and its key, so another key is another device.
using LearntDevices = std::unordered_map<std::uint64_t, LearntDevice>;

}  // namespace welcome::beacon
