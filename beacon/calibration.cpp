// SPDX-License-Identifier: Apache-2.0
#include "beacon/calibration.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace welcome::beacon {
namespace {

constexpr std::size_t kFewestSeconds = 8;
constexpr double kMostWrong = 0.10;
constexpr double kLeastStepDb = 3.0;
constexpr double kStreetMarginDb = 3.0;
constexpr double kNearestMetres = 0.5;  // as in the configuration
constexpr double kFarthestMetres = 100.0;

constexpr std::array kOrder{Zone::desk, Zone::inside, Zone::door, Zone::street};

std::string number(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// `sorted` is not empty.
double quantile(std::span<const double> sorted, double q) {
  return sorted[static_cast<std::size_t>(std::lround(q * static_cast<double>(sorted.size() - 1)))];
}

struct Cut {
  double level_db = 0.0;
  double wrong = 1.0;
};

// Where the fewest are on the wrong side; in the middle, where a whole gap is as good.
Cut best_cut(std::span<const double> inner, std::span<const double> outer) {
  std::vector<double> all(inner.begin(), inner.end());
  all.insert(all.end(), outer.begin(), outer.end());
  std::sort(all.begin(), all.end());
  Cut best;
  double widest = 0.0;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    const double gap = all[i + 1] - all[i];
    if (gap <= 0.0) continue;
    const double level = all[i] + gap / 2;
    const auto below = [&](std::span<const double> sorted) {
      return static_cast<double>(std::lower_bound(sorted.begin(), sorted.end(), level) -
                                 sorted.begin()) /
             static_cast<double>(sorted.size());
    };
    const double wrong = (below(inner) + 1.0 - below(outer)) / 2;
    if (wrong < best.wrong || (wrong == best.wrong && gap > widest)) {
      best = {level, wrong};
      widest = gap;
    }
  }
  return best;
}

}  // namespace

Result<Calibration> calibrate(std::span<const WalkPlace> places, double path_loss_exponent) {
  if (places.size() != kOrder.size()) return fail(ErrorCode::malformed, "four places are needed");
  std::array<std::vector<double>, kOrder.size()> levels;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    const std::string name(to_string(kOrder[i]));
    if (places[i].zone != kOrder[i]) {
      return fail(ErrorCode::malformed, "place " + std::to_string(i + 1) + " must be " + name);
    }
    levels[i] = places[i].levels_db;
    if (levels[i].size() < kFewestSeconds) {
      return fail(ErrorCode::refused,
                  name + ": heard in " + std::to_string(levels[i].size()) +
                      " seconds only. Is the phone's app open? Stand nearer, or stay longer");
    }
    std::sort(levels[i].begin(), levels[i].end());
  }
  Calibration out;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    ZoneBorder& border = out.borders[i];
    border.inner = kOrder[i];
    const std::string name(to_string(kOrder[i]));
    if (i + 1 < kOrder.size()) {
      const Cut cut = best_cut(levels[i], levels[i + 1]);
      const double inner = quantile(levels[i], 0.5);
      const double outer = quantile(levels[i + 1], 0.5);
      border.level_db = cut.level_db;
      border.wrong = cut.wrong;
      if (cut.wrong > kMostWrong || inner - outer < kLeastStepDb) {
        return fail(ErrorCode::refused,
                    name + " and " + std::string(to_string(kOrder[i + 1])) +
                        " do not separate: medians " + number("%.1f", inner) + " and " +
                        number("%.1f", outer) + " dB, " + number("%.0f", cut.wrong * 100) +
                        " % of the seconds on the wrong side. Stand further apart, or move the "
                        "box so that it hears the difference");
      }
    } else {
      border.level_db = quantile(levels[i], 0.05) - kStreetMarginDb;
    }
    border.metres = std::pow(10.0, -border.level_db / (10.0 * path_loss_exponent));
    if (border.metres < kNearestMetres || border.metres > kFarthestMetres) {
      return fail(ErrorCode::refused,
                  "the border of " + name + " would be at " + number("%.1f", border.metres) +
                      " m by signal, which the configuration cannot say (0.5 to 100). Is this "
                      "phone's power at 1 m (measured_power_1m_dbm) right, and "
                      "zones.path_loss_exponent?");
    }
  }
  return out;
}

}  // namespace welcome::beacon
