// SPDX-License-Identifier: Apache-2.0
#pragma once
// Ranging: from RSSI to a zone, for one customer. Pure, no clock; one thread.
//
// Every box that hears her gets a level in dB, each zone gets a score from these levels, and a
// judge picks the zone. There are two of each, because no single estimate is both quick and quiet:
// *fast* (short memory, judge with no patience) says where she is this second, *settled* (longer
// memory, a judge that wants evidence) where she stays. How levels become scores is the only
// difference between the two set-ups:
//   - several boxes, each with the name of a zone: a zone scores the amplitudes that its boxes
//   hear;
//   - one box: zones are bands of distance, and a zone scores by how far outside its band she is.
// The Tracker puts both together. How the constants were found: docs/evaluation-beacon.md.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace welcome::beacon {

// Mean of the readings in dB, each weighted by exp(-age/memory). A reading counts no more than
// `outlier_db` from the mean of those before it, while that is fresh: deep fades and reflections
// move it little, and who really moved is followed all the same. `silence_weight` readings of
// `silence_dbm` are mixed in, so that a box that no longer hears her fades.
struct SignalConfig {
  MonoClock::duration memory;
  // Added to the memory: this many times the usual pause between two readings, so that who is heard
  // once a second is not judged by one reading alone.
  double memory_per_pause = 0.0;
  double silence_weight = 0.0;
  double silence_dbm = -100.0;
  double outlier_db = 12.0;
};

class SignalLevel {
 public:
  void hear(const SignalConfig& config, double rssi_dbm, MonoTime at);
  // nullopt while nothing was heard.
  std::optional<double> at(const SignalConfig& config, MonoTime at) const;

 private:
  double fade(const SignalConfig& config, MonoTime at) const;

  double weight_ = 0.0;
  double sum_ = 0.0;
  double pause_us_ = 0.0;  // smoothed; 0 before the second reading
  MonoTime at_;
};

// Sequential test (Page's CUSUM): every other zone collects the dB by which it beats the current
// one, less `allowance_db`, over time, never below zero. The first with `evidence_db_s` wins. A
// clear difference convinces within seconds, a faint one has to last, noise does not add up.
struct JudgeConfig {
  double allowance_db = 0.0;
  double evidence_db_s = 0.0;  // 0: the best zone wins as soon as it beats the allowance
  double strongest_db = 20.0;  // one loud moment counts no more than this
};

class Judge {
 public:
  static constexpr int kNone = -1;

  // `scores` by zone, higher is better; always of the same number of zones. Returns the zone.
  int judge(const JudgeConfig& config, std::span<const double> scores, MonoTime at);
  // Takes over what somebody else has judged.
  void adopt(int zone, MonoTime at);
  int zone() const { return zone_; }  // kNone before the first

 private:
  int zone_ = kNone;
  MonoTime at_;
  std::vector<double> evidence_;
};

// How far she is from one box, as a word: metres would promise what no RSSI can keep.
enum class Distance : std::uint8_t { far, near, immediate };
std::string_view to_string(Distance distance);

// Bands of distance from one box, by a judge of their own: who stands at an edge does not flicker.
class DistanceBand {
 public:
  // Outer edge of `immediate` and of `near` in metres, by log-distance path loss.
  struct Config {
    double immediate_m = 1.0;
    double near_m = 4.0;
    double path_loss_exponent = 2.2;
  };

  // `level_db` relative to what the device is heard with at 1 m.
  void hear(const Config& config, double level_db, MonoTime at);
  // nullopt before the first.
  std::optional<Distance> distance() const;

 private:
  SignalLevel level_;
  Judge judge_;
};

struct RangingConfig {
  SignalConfig fast_level;
  JudgeConfig fast;
  SignalConfig settled_level;
  JudgeConfig settled;

  static RangingConfig one_box();
  static RangingConfig several_boxes();
};

// What several boxes of one zone hear, as one level: the sum of the amplitudes. Between the
// strongest alone, which follows the fading of one box, and the mean, for which she would have to
// be near all.
class AmplitudeSum {
 public:
  void add(double level_db);
  std::optional<double> level_db() const;  // nullopt: nothing was added

 private:
  double sum_ = 0.0;
};

}  // namespace welcome::beacon
