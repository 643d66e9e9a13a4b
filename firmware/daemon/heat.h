// SPDX-License-Identifier: Apache-2.0
#pragma once
// How hot the machine is. Any thread.

#include <filesystem>
#include <optional>

namespace welcome::daemon {

// Of its hottest thermal zone, in degrees Celsius; nothing: it has none, or none that answers.
std::optional<double> temperature(const std::filesystem::path& zones = "/sys/class/thermal");

}  // namespace welcome::daemon
