#pragma once
// Ranging: from RSSI to a zone, for one customer. Pure, no clock; one thread.
//
// Every box that hears her gets a level in dB, each zone gets a score from these levels, and a
// judge picks the zone. There are two of each, because no single estimate is both quick and quiet:
// *fast* (short memory, judge with no patience) says where she is this second, *settled* (longer
// memory, a judge that wants evidence) where she stays. How levels become scores is the only
// difference between the two set-ups:
//   - several boxes, each with the name of a zone: a zone scores the power that its boxes hear;
//   - one box: zones are bands of distance, and a zone scores by how far outside its band she is.
// How the constants were found: docs/evaluation.md.

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
struct LevelConfig {
  MonoClock::duration memory;
  // Added to the memory: this many times the usual pause between two readings, so that who is heard
  // once a second is not judged by one reading alone.
  double memory_per_pause = 0.0;
  double silence_weight = 0.0;
  double silence_dbm = -100.0;
  double outlier_db = 12.0;
};

class Level {
 public:
  void hear(const LevelConfig& config, double rssi_dbm, MonoTime at);
  // nullopt while nothing was heard.
  std::optional<double> at(const LevelConfig& config, MonoTime at) const;

 private:
  double fade(const LevelConfig& config, MonoTime at) const;

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
  Level level_;
  Judge judge_;
};

struct RangingConfig {
  LevelConfig fast_level;
  JudgeConfig fast;
  LevelConfig settled_level;
  JudgeConfig settled;

  static RangingConfig one_box();
  static RangingConfig several_boxes();
};

// One customer among several boxes. Boxes and zones are numbers from 0.
class StoreRanging {
 public:
  // `zone_of_box` must outlive this.
  StoreRanging(const RangingConfig& config, std::span<const int> zone_of_box, int zones);

  void hear(int box, double rssi_dbm, MonoTime at);
  // Whether either zone changed. Call after hear(); every 100 ms is enough.
  bool update(MonoTime at);

  int fast() const { return fast_.zone(); }
  int settled() const { return settled_.zone(); }

 private:
  struct BoxLevels {
    Level fast;
    Level settled;
  };
  void score(const LevelConfig& config, Level BoxLevels::*level, MonoTime at);

  RangingConfig config_;
  std::span<const int> zone_of_box_;
  std::vector<BoxLevels> boxes_;
  std::vector<double> scores_;
  Judge fast_;
  Judge settled_;
};

}  // namespace welcome::beacon
