// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/heat.h"

#include <fstream>
#include <system_error>

namespace welcome::daemon {

namespace {

// What no machine is that still answers: a sensor that is not there says something like it.
constexpr double kLeast = -40, kMost = 150;
constexpr double kPerDegree = 1000;

}  // namespace

std::optional<double> temperature(const std::filesystem::path& zones) {
  std::optional<double> hottest;
  std::error_code ignored;
  for (const auto& zone : std::filesystem::directory_iterator(zones, ignored)) {
    if (!zone.path().filename().string().starts_with("thermal_zone")) continue;
    double millidegrees = 0;
    if (!(std::ifstream(zone.path() / "temp") >> millidegrees)) continue;
    const double degrees = millidegrees / kPerDegree;
    if (degrees < kLeast || degrees > kMost) continue;
    if (!hottest || degrees > *hottest) hottest = degrees;
  }
  return hottest;
}

}  // namespace welcome::daemon
