// SPDX-License-Identifier: Apache-2.0
// A capture from outside, of any format: any bytes.

#include <sstream>

#include "beacon/ad.h"
#include "beacon/capture.h"
#include "beacon/intake.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace welcome::beacon;
  auto reader = read_capture(
      std::make_unique<std::istringstream>(std::string(reinterpret_cast<const char*>(data), size)));
  if (!reader) return 0;
  CaptureRecord record;
  AdvertIntake intake;
  std::vector<AdvertReport> reports;
  while ((*reader)->next(record)) {
    reports.clear();
    intake.take(record.packet, welcome::MonoTime{record.at.time_since_epoch()}, reports);
    for (const auto& report : reports) {
      if (report.data_status() == kDataMoreToCome && whole_structures(report.ad.view()) == 0) {
        __builtin_trap();  // a beginning comes out as far as it is whole, or not at all
      }
    }
  }
  return 0;
}
