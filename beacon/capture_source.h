// SPDX-License-Identifier: Apache-2.0
#pragma once
// A recording as a source, of any format that open_capture() reads, on the pace of a schedule or as
// fast as possible. Its reports come in by the same door as live ones.

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "beacon/source.h"

namespace welcome::beacon {

// When a report of the recording happens in this run.
struct ReplaySlot {
  MonoTime at;                                // the report's `at`
  std::chrono::steady_clock::time_point due;  // when to hand it over
};

// From the capture's time stamp to its slot; nullopt = that is past, skip it. Called on the
// source's thread.
using ReplaySchedule =
    std::function<std::optional<ReplaySlot>(std::chrono::sys_time<std::chrono::microseconds>)>;

// Without a schedule: as fast as possible, `at` = the capture's time since 1970. A file that cannot
// be opened or whose end is cut off ends in SourceState::failed or ended with a detail; what could
// be read before is played.
std::unique_ptr<AdvertSource> make_capture_source(std::filesystem::path file,
                                                  ReplaySchedule schedule = {});

}  // namespace welcome::beacon
