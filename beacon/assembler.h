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
};

class AdvertAssembler {
 public:
  // Fragments wait here for their rest and leave with it; a scan response leaves as one report with
  // the AD of its advert in front. Everything else stays as it is.
  void process(std::vector<AdvertReport>& batch);
  const AssemblerCounters& counters() const { return counters_; }

 private:
  bool keep(AdvertReport& report);

  std::vector<AdvertReport> fragments_;  // waiting
  std::vector<AdvertReport> scannable_;  // ring of the last ones
  std::size_t next_scannable_ = 0;
  AssemblerCounters counters_;
};

}  // namespace welcome::beacon
