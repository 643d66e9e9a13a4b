// A capture from outside: any bytes.

#include <sstream>

#include "beacon/btsnoop.h"
#include "beacon/hci_events.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace welcome::beacon;
  auto reader = BtsnoopReader::from(
      std::make_unique<std::istringstream>(std::string(reinterpret_cast<const char*>(data), size)));
  if (!reader) return 0;
  BtsnoopRecord record;
  HciReportCounters counters;
  std::vector<AdvertReport> reports;
  while (reader->next(record)) {
    reports.clear();
    parse_advertising_event(record.packet, {}, reports, counters);
  }
  return 0;
}
