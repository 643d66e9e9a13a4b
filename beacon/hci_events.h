// SPDX-License-Identifier: Apache-2.0
#pragma once
// LE advertising reports out of HCI events. Bytes from outside: every length is checked.
//
// Several reports in one event are laid out report after report. (The Core Specification's
// parameter list reads as if the fields came array by array; controllers and every host stack do it
// report by report, and so do real captures.)

#include <cstdint>
#include <span>
#include <vector>

#include "beacon/advert.h"
#include "core/time.h"

namespace welcome::beacon {

inline constexpr std::uint8_t kEventLeMeta = 0x3E;
inline constexpr std::uint8_t kSubeventAdvertisingReport = 0x02;
inline constexpr std::uint8_t kSubeventExtendedAdvertisingReport = 0x0D;

struct HciReportCounters {
  std::uint64_t events = 0;           // advertising events seen
  std::uint64_t reports = 0;          // reports in them
  std::uint64_t truncated_event = 0;  // shorter than its own length field says
  std::uint64_t no_reports = 0;       // an event with zero reports
  std::uint64_t short_report = 0;     // a report whose header or data runs past the event
  std::uint64_t trailing_bytes = 0;   // bytes behind the last report

  std::uint64_t malformed() const { return truncated_event + no_reports + short_report; }
};

// `event` starts at the event code (no H4 packet type). Appends the reports to `out`; of an event
// that breaks off, the whole reports before the break. Events of other kinds are ignored.
void parse_advertising_event(std::span<const std::uint8_t> event, MonoTime at,
                             std::vector<AdvertReport>& out, HciReportCounters& counters);

// The HCI event (no H4 packet type) that a controller would send for this one report; for
// recordings. At most 229 bytes of AD (extended) or 31 (legacy); what is longer is cut.
std::vector<std::uint8_t> make_advertising_event(const AdvertReport& report);

}  // namespace welcome::beacon
