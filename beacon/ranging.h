#pragma once
// Ranging: from RSSI to a zone, for one customer. Pure, no clock; one thread.
//
// Every box that hears her gets a level in dB, each zone gets a score from these levels, and a
// judge picks the zone. There are two of each, because no single estimate is both quick and quiet:
// *fast* (short memory, quick judge) says where she is this second, *settled* (long memory, slow
// judge) where she stays. How levels become scores is the only difference between the two set-ups:
//   - several boxes, each with the name of a zone: a zone scores as its loudest box;
//   - one box: zones are bands of distance, and a zone scores by how far outside its band she is.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "firmware/core/claim.h"
#include "firmware/core/time.h"

namespace welcome::beacon {

// Mean of the readings in dB, each weighted by exp(-age/memory). `silence_weight` readings of
// `silence_dbm` are mixed in, so that a box that no longer hears her fades.
struct LevelConfig {
  MonoClock::duration memory{std::chrono::milliseconds{1000}};
  double silence_weight = 0.0;
  double silence_dbm = -105.0;
};

class Level {
 public:
  void hear(const LevelConfig& config, double rssi_dbm, MonoTime at);
  // nullopt while nothing was heard.
  std::optional<double> at(const LevelConfig& config, MonoTime at) const;

 private:
  double weight_ = 0.0;
  double sum_ = 0.0;
  MonoTime at_;
};

// A new zone must beat the current one by `margin_db` for `dwell`.
struct JudgeConfig {
  double margin_db = 0.0;
  MonoClock::duration dwell{0};
};

class Judge {
 public:
  static constexpr int kNone = -1;

  // `scores` by zone, higher is better. Returns the zone, kNone before the first.
  int judge(const JudgeConfig& config, std::span<const double> scores, MonoTime at);
  int zone() const { return zone_; }
  void reset() { *this = Judge{}; }

 private:
  int zone_ = kNone;
  int rival_ = kNone;
  MonoTime rival_since_;
};

struct RangingConfig {
  LevelConfig fast_level{std::chrono::milliseconds{1000}, 0.0, -105.0};
  JudgeConfig fast{3.0, std::chrono::milliseconds{400}};
  LevelConfig settled_level{std::chrono::seconds{4}, 0.0, -105.0};
  JudgeConfig settled{3.0, std::chrono::seconds{3}};
};

}  // namespace welcome::beacon
