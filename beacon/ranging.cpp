#include "beacon/ranging.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace welcome::beacon {
namespace {

using std::chrono::milliseconds;

// Between two looks no more time counts as evidence: she was not heard in between.
constexpr double kLongestLookS = 1.0;

// The pause between readings: what counts at most, and the share of a new one.
constexpr double kLongestPauseUs = 3e6;
constexpr double kNewPause = 0.2;
// A mean of so few readings' weight says nothing about the next one.
constexpr double kFresh = 0.3;

}  // namespace

RangingConfig RangingConfig::one_box() {
  return {.fast_level = {.memory = milliseconds{1000}},
          .fast = {.allowance_db = 1.5, .evidence_db_s = 1.0},
          .settled_level = {.memory = milliseconds{3000}},
          .settled = {.allowance_db = 1.0, .evidence_db_s = 8.0}};
}

RangingConfig RangingConfig::several_boxes() {
  return {
      .fast_level = {.memory = milliseconds{250}, .memory_per_pause = 0.7, .silence_weight = 0.1},
      .fast = {.allowance_db = 0.5},
      .settled_level = {.memory = milliseconds{4000}, .silence_weight = 0.1},
      .settled = {.allowance_db = 5.0, .evidence_db_s = 20.0}};
}

double Level::fade(const LevelConfig& config, MonoTime at) const {
  const double age = static_cast<double>(std::max(at - at_, MonoClock::duration{0}).count());
  return std::exp(
      -age / (static_cast<double>(config.memory.count()) + config.memory_per_pause * pause_us_));
}

void Level::hear(const LevelConfig& config, double rssi_dbm, MonoTime at) {
  if (weight_ > 0.0) {
    const double pause = std::clamp(static_cast<double>((at - at_).count()), 0.0, kLongestPauseUs);
    pause_us_ += (pause_us_ == 0.0 ? 1.0 : kNewPause) * (pause - pause_us_);
  }
  const double f = fade(config, at);
  weight_ *= f;
  sum_ *= f;
  if (weight_ > kFresh) {
    const double mean = sum_ / weight_;
    rssi_dbm = std::clamp(rssi_dbm, mean - config.outlier_db, mean + config.outlier_db);
  }
  weight_ += 1.0;
  sum_ += rssi_dbm;
  at_ = std::max(at, at_);
}

std::optional<double> Level::at(const LevelConfig& config, MonoTime at) const {
  if (weight_ == 0.0) return std::nullopt;
  if (config.silence_weight == 0.0) return sum_ / weight_;
  const double f = fade(config, at);
  return (sum_ * f + config.silence_weight * config.silence_dbm) /
         (weight_ * f + config.silence_weight);
}

int Judge::judge(const JudgeConfig& config, std::span<const double> scores, MonoTime at) {
  if (scores.empty()) return zone_;
  const auto best =
      static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  if (zone_ == kNone) {
    zone_ = static_cast<int>(best);
    at_ = at;
    evidence_.assign(scores.size(), 0.0);
    return zone_;
  }
  evidence_.resize(scores.size());
  const double passed =
      std::clamp(std::chrono::duration<double>(at - at_).count(), 0.0, kLongestLookS);
  at_ = std::max(at, at_);
  const double current = scores[static_cast<std::size_t>(zone_)];
  for (std::size_t zone = 0; zone < scores.size(); ++zone) {
    const double ahead = std::min(scores[zone] - current, config.strongest_db);
    evidence_[zone] = std::max(0.0, evidence_[zone] + (ahead - config.allowance_db) * passed);
  }
  if (scores[best] - current > config.allowance_db && evidence_[best] >= config.evidence_db_s) {
    zone_ = static_cast<int>(best);
    std::fill(evidence_.begin(), evidence_.end(), 0.0);
  }
  return zone_;
}

void Judge::adopt(int zone, MonoTime at) {
  at_ = std::max(at, at_);
  if (zone == zone_) return;
  zone_ = zone;
  std::fill(evidence_.begin(), evidence_.end(), 0.0);
}

std::string_view to_string(Distance distance) {
  static constexpr std::array<std::string_view, 3> kNames{"far", "near", "immediate"};
  return kNames[static_cast<std::size_t>(distance)];
}

void DistanceBand::hear(const Config& config, double level_db, MonoTime at) {
  static const RangingConfig ranging = RangingConfig::one_box();
  level_.hear(ranging.settled_level, level_db, at);
  const double level = *level_.at(ranging.settled_level, at);
  const auto edge = [&](double metres) {
    return -10.0 * config.path_loss_exponent * std::log10(metres);
  };
  // A band scores 0 where the level is inside of it and loses what it is outside.
  const double near = edge(config.near_m);
  const double immediate = edge(config.immediate_m);
  judge_.judge(
      ranging.settled,
      std::array{-std::max(0.0, level - near), -std::max({0.0, near - level, level - immediate}),
                 -std::max(0.0, immediate - level)},
      at);
}

std::optional<Distance> DistanceBand::distance() const {
  if (judge_.zone() == Judge::kNone) return std::nullopt;
  return static_cast<Distance>(judge_.zone());
}

StoreRanging::StoreRanging(const RangingConfig& config, std::span<const int> zone_of_box, int zones)
    : config_(config),
      zone_of_box_(zone_of_box),
      boxes_(zone_of_box.size()),
      scores_(static_cast<std::size_t>(zones)) {}

void StoreRanging::hear(int box, double rssi_dbm, MonoTime at) {
  BoxLevels& levels = boxes_[static_cast<std::size_t>(box)];
  levels.fast.hear(config_.fast_level, rssi_dbm, at);
  levels.settled.hear(config_.settled_level, rssi_dbm, at);
}

void StoreRanging::score(const LevelConfig& config, Level BoxLevels::*level, MonoTime at) {
  std::fill(scores_.begin(), scores_.end(), 0.0);
  for (std::size_t box = 0; box < boxes_.size(); ++box) {
    const double dbm = (boxes_[box].*level).at(config, at).value_or(config.silence_dbm);
    scores_[static_cast<std::size_t>(zone_of_box_[box])] += std::pow(10.0, dbm / 10.0);
  }
  for (double& score : scores_) score = 10.0 * std::log10(std::max(score, 1e-13));
}

bool StoreRanging::update(MonoTime at) {
  const int fast_before = fast();
  const int settled_before = settled();
  score(config_.fast_level, &BoxLevels::fast, at);
  fast_.judge(config_.fast, scores_, at);
  score(config_.settled_level, &BoxLevels::settled, at);
  settled_.judge(config_.settled, scores_, at);
  return fast() != fast_before || settled() != settled_before;
}

}  // namespace welcome::beacon
