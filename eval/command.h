// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sub-commands of welcome-eval. Each runs one part of the product over recorded data: results
// as JSON lines on stdout, progress and problems on stderr, exit code 0 when it could run.

#include <span>
#include <string_view>

namespace welcome::eval {

using Arguments = std::span<const std::string_view>;  // what follows the command's name

struct Command {
  std::string_view name;
  std::string_view usage;  // "adverts FILE.btsnoop"
  std::string_view what;
  int (*run)(Arguments arguments);
};

// For wrong arguments: prints the usage, returns 2.
int usage_error(std::string_view usage);

int adverts(Arguments arguments);
int ad(Arguments arguments);
int zones(Arguments arguments);
int copies(Arguments arguments);

inline constexpr std::string_view kVerifyUsage = "verify [--models DIR] [--pack NAME] PAIRS|-";
inline constexpr std::string_view kDetectUsage =
    "detect [--far] [--models DIR] [--pack NAME] IMAGE...";
inline constexpr std::string_view kIdentifyUsage =
    "identify --gallery DIR --probes DIR [--fmr RATE] [--models DIR] [--pack NAME]";
inline constexpr std::string_view kClipUsage =
    "clip VIDEO --gallery DIR [--fps N] [--fmr RATE] [--quality] [--liveness] [--models DIR] "
    "[--pack NAME]";
inline constexpr std::string_view kLivenessUsage =
    "liveness [--fps N] [--attack print|screen] [--models DIR] [--pack NAME] IMAGE|VIDEO...";
inline constexpr std::string_view kGroupsUsage =
    "groups --labels FILE [--models DIR] [--pack NAME]";
int liveness(Arguments arguments);
int groups(Arguments arguments);
inline constexpr std::string_view kQualityUsage =
    "quality [--cover mask|sunglasses|hand|lower_half] [--turn 90|180|270] [--fps N] [--models "
    "DIR] "
    "[--pack NAME] IMAGE|VIDEO...";
int quality(Arguments arguments);
int verify(Arguments arguments);
int detect(Arguments arguments);
int identify(Arguments arguments);
int clip(Arguments arguments);

}  // namespace welcome::eval
