// SPDX-License-Identifier: Apache-2.0
#pragma once
// RadioHelp: an adapter that our own resets do not bring back, switched off by rfkill or hung on
// its USB port, is more than this process may mend. It writes the adapter's name into a file of its
// runtime directory, and root's half (systemd/radio-help) does the rest. One thread.

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "beacon/source.h"
#include "core/time.h"

namespace welcome::daemon {

class RadioHelp {
 public:
  // Our own tries have their time first; then help is asked for, again and again at growing
  // distances.
  static constexpr std::chrono::seconds kPatience{45};
  static constexpr std::chrono::minutes kMost{60};

  // `device`: radio.device, an adapter's name or address; for another radio there is no help.
  RadioHelp(const std::filesystem::path& folder, const std::string& device);

  void look(const beacon::SourceStatus& radio, MonoTime now);

 private:
  const std::filesystem::path file_;
  const std::string adapter_;
  std::optional<MonoTime> away_since_, next_;
  std::chrono::seconds pause_{};
  std::uint64_t asked_ = 0;
};

}  // namespace welcome::daemon
