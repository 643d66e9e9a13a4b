// SPDX-License-Identifier: Apache-2.0
#pragma once
// AdvertIntake: the one door by which reports in HCI events come in, whether they are live,
// replayed or evaluated: events read, fragments and scan responses joined. Which values can be is
// asked where they are used (beacon/plausible.h). Bytes from outside; one thread.

#include <cstdint>
#include <span>
#include <vector>

#include "beacon/advert.h"
#include "beacon/assembler.h"
#include "beacon/hci_events.h"
#include "core/time.h"

namespace welcome::beacon {

struct IntakeCounters {
  std::uint64_t told = 0;       // reports that came out with at least one AD structure
  std::uint64_t whole = 0;      // reports of whole adverts, as the controller says
  std::uint64_t empty = 0;      // reports and events that say nothing
  std::uint64_t fragments = 0;  // reports of which more is to come
};

class AdvertIntake {
 public:
  // `event` starts at the event code (no H4 packet type). Appends what is complete.
  void take(std::span<const std::uint8_t> event, MonoTime at, std::vector<AdvertReport>& out);

  const IntakeCounters& counters() const { return counters_; }
  const HciReportCounters& events() const { return events_; }
  const AssemblerCounters& assembler() const { return assembler_.counters(); }

 private:
  AdvertAssembler assembler_;
  HciReportCounters events_;
  IntakeCounters counters_;
  std::vector<AdvertReport> fresh_;
};

}  // namespace welcome::beacon
