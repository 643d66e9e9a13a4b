// SPDX-License-Identifier: Apache-2.0
#pragma once
// AdvertAssembler: fragments of extended advertising data put together, scan responses joined to
// their adverts. Works on a batch in place; bounded memory; one thread.
// Core Specification 5.4, Vol 4, Part E, 7.7.65.13 (data status) and Vol 3, Part C, 11.

#include <cstdint>
#include <vector>

#include "beacon/advert.h"

namespace welcome::beacon {

struct AssemblerCounters {
  std::uint64_t joined_fragments = 0;  // adverts made of more than one report
  std::uint64_t joined_responses = 0;  // scan responses with the advert they answer
  std::uint64_t truncated = 0;         // the controller gave up on the rest
  std::uint64_t abandoned = 0;         // the rest never came, or there was no room to wait for it
  std::uint64_t first_parts = 0;       // of the abandoned: came out as far as they were whole
};

class AdvertAssembler {
 public:
  // Fragments wait here for their rest and leave with it; where it does not come, their whole AD
  // structures leave without it, with the next report that shows it. A scan response leaves as one
  // report with the AD of its advert in front. Everything else stays as it is.
  void process(std::vector<AdvertReport>& batch);
  const AssemblerCounters& counters() const { return counters_; }

 private:
  struct Fragments {
    AdvertReport report;
    std::size_t first = 0;  // bytes of the first one
  };

  bool keep(AdvertReport& report);
  // True when the report is to wait for its rest, or is that rest and waits on.
  bool waits(AdvertReport& report);
  void abandon(std::size_t index);
  void abandon_late(MonoTime now);

  std::vector<Fragments> fragments_;     // waiting, the one that came first in front
  std::vector<AdvertReport> abandoned_;  // of this batch
  std::vector<AdvertReport> scannable_;  // ring of the last ones
  std::size_t next_scannable_ = 0;
  AssemblerCounters counters_;
};

}  // namespace welcome::beacon
