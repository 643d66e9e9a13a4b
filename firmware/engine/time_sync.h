// SPDX-License-Identifier: Apache-2.0
#pragma once
// TimeSync: whether something keeps the machine's clock right, and when it last did so. The kernel
// would know (adjtimex), but may not be asked in our unit's sandbox, so we ask who does it:
// systemd-timesyncd by the file that it touches with each answer of its server, chronyd on its
// command port. Both can be seen from within the unit. Not for several threads at once.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "core/time.h"

namespace welcome::daemon {

class ChronyProbe;

class TimeSync {
 public:
  explicit TimeSync(std::filesystem::path timesyncd = "/run/systemd/timesync/synchronized",
                    std::uint16_t chrony_port = 323);

  // The clock shows `wall`. Nothing: nobody has set it right for hours, or somebody else has set it
  // since. Otherwise a number that grows with each time. Never blocks: chronyd's answer counts the
  // next time.
  std::optional<std::int64_t> operator()(WallTime wall);

 private:
  std::filesystem::path timesyncd_;
  std::shared_ptr<ChronyProbe> chrony_;
};

}  // namespace welcome::daemon
