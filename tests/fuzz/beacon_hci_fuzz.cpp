// SPDX-License-Identifier: Apache-2.0
// One HCI event from a controller.

#include "beacon/hci_events.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace welcome::beacon;
  HciReportCounters counters;
  std::vector<AdvertReport> reports;
  parse_advertising_event({data, size}, {}, reports, counters);
  if (reports.size() != counters.reports) __builtin_trap();
  return 0;
}
