// SPDX-License-Identifier: Apache-2.0
#include "beacon/intake.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "beacon/ad.h"

namespace welcome::beacon {

void AdvertIntake::take(std::span<const std::uint8_t> event, MonoTime at,
                        std::vector<AdvertReport>& out) {
  const std::uint64_t seen = events_.events;
  fresh_.clear();
  parse_advertising_event(event, at, fresh_, events_);
  if (events_.events == seen) return;
  if (fresh_.empty()) ++counters_.empty;
  for (const AdvertReport& report : fresh_) {
    if (report.data_status() != kDataMoreToCome) {
      ++counters_.whole;
      continue;
    }
    ++counters_.fragments;
    if (report.ad.size() == 0) ++counters_.empty;
  }
  assembler_.process(fresh_);
  for (const AdvertReport& report : fresh_) {
    AdStructure first;
    ++(AdWalker(report.ad.view()).next(first) == AdEnd::more ? counters_.told : counters_.empty);
  }
  std::move(fresh_.begin(), fresh_.end(), std::back_inserter(out));
}

}  // namespace welcome::beacon
