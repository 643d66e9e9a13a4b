#include "beacon/ranging.h"

#include <algorithm>
#include <cmath>

namespace welcome::beacon {
namespace {

double fade(MonoClock::duration age, MonoClock::duration memory) {
  return std::exp(-static_cast<double>(std::max(age, MonoClock::duration{0}).count()) /
                  static_cast<double>(memory.count()));
}

}  // namespace

void Level::hear(const LevelConfig& config, double rssi_dbm, MonoTime at) {
  const double f = fade(at - at_, config.memory);
  weight_ = weight_ * f + 1.0;
  sum_ = sum_ * f + rssi_dbm;
  at_ = std::max(at, at_);
}

std::optional<double> Level::at(const LevelConfig& config, MonoTime at) const {
  if (weight_ == 0.0) return std::nullopt;
  const double f = fade(at - at_, config.memory);
  const double silence = config.silence_weight;
  if (silence == 0.0) return sum_ / weight_;
  return (sum_ * f + silence * config.silence_dbm) / (weight_ * f + silence);
}

int Judge::judge(const JudgeConfig& config, std::span<const double> scores, MonoTime at) {
  if (scores.empty()) return zone_;
  const auto best =
      static_cast<int>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  const auto score = [&](int zone) { return scores[static_cast<std::size_t>(zone)]; };
  if (zone_ == kNone) {
    zone_ = best;
    return zone_;
  }
  if (best == zone_ || score(best) - score(zone_) < config.margin_db) {
    rival_ = kNone;
    return zone_;
  }
  if (rival_ != best) {
    rival_ = best;
    rival_since_ = at;
  }
  if (at - rival_since_ >= config.dwell) {
    zone_ = best;
    rival_ = kNone;
  }
  return zone_;
}

}  // namespace welcome::beacon
