// SPDX-License-Identifier: Apache-2.0
#pragma once
// AdvertSource: where adverts come from: our HCI host, BlueZ, or a recording. start() and stop()
// are called from one thread; the callbacks run on the source's own thread, one at a time, and
// must not block for long. Nothing is called after stop() has returned.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "beacon/advert.h"
#include "core/time.h"

namespace welcome::beacon {

enum class SourceState : std::uint8_t {
  stopped,
  starting,
  running,
  recovering,  // deaf, and working on it
  ended,       // a recording has been played
  failed,      // will not come back by itself
};

std::string_view to_string(SourceState state);

// For status and metrics. Holds no addresses.
struct SourceStatus {
  SourceState state = SourceState::stopped;
  std::string detail;                // for a person: why it is recovering, what failed
  std::uint64_t reports = 0;         // given to the sink
  std::uint64_t malformed = 0;       // events or reports that broke their format
  std::uint64_t skipped = 0;         // recording: reports that were past already at start
  std::uint64_t restarts = 0;        // radio: how often it had to be reset
  double reports_per_second = 0.0;   // radio: heard over the last 10 s
  double expected_per_second = 0.0;  // radio: slow mean of the same
  std::uint64_t stalls = 0;          // radio: nothing heard where adverts were expected
  std::uint64_t command_timeouts = 0;
  std::uint64_t hardware_errors = 0;
  std::uint64_t refused = 0;      // commands that the controller refused
  std::uint64_t empty = 0;        // reports that said nothing
  std::uint64_t lost_parts = 0;   // long adverts of which the rest never came
  std::uint64_t line_losses = 0;  // serial line: how often bytes were lost
  std::string scan;               // radio: how it scans now
  bool advertising = false;
};

struct SourceCallbacks {
  std::function<void(std::vector<AdvertReport>)> reports;
  std::function<void(const SourceStatus&)> state_changed;
};

class AdvertSource {
 public:
  virtual ~AdvertSource() = default;  // stops
  virtual void start(SourceCallbacks callbacks) = 0;
  virtual void stop() = 0;
  virtual SourceStatus status() const = 0;  // any thread
};

}  // namespace welcome::beacon
