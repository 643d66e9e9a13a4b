// SPDX-License-Identifier: Apache-2.0
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
      .fast_level = {.memory = milliseconds{800}, .memory_per_pause = 0.3, .silence_weight = 0.1},
      .fast = {.allowance_db = 0.5},
      .settled_level = {.memory = milliseconds{5000}, .silence_weight = 0.1},
      .settled = {.allowance_db = 2.5, .evidence_db_s = 60.0}};
}

double SignalLevel::fade(const SignalConfig& config, MonoTime at) const {
  const double age = static_cast<double>(std::max(at - at_, MonoClock::duration{0}).count());
  return std::exp(
      -age / (static_cast<double>(config.memory.count()) + config.memory_per_pause * pause_us_));
}

void SignalLevel::hear(const SignalConfig& config, double rssi_dbm, MonoTime at) {
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

std::optional<double> SignalLevel::at(const SignalConfig& config, MonoTime at) const {
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

void AmplitudeSum::add(double level_db) { sum_ += std::pow(10.0, level_db / 20.0); }

std::optional<double> AmplitudeSum::level_db() const {
  if (sum_ <= 0.0) return std::nullopt;
  return 20.0 * std::log10(sum_);
}

}  // namespace welcome::beacon
