// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lookups: a desk asks whether there is such a member, before anybody agrees to anything. A box
// that asks for whoever comes to its mind would learn the names of everybody, so there is a limit.
// Nothing of a question is kept. One thread.

#include <chrono>
#include <deque>
#include <map>

#include "contract/contract.h"
#include "crm/crm.h"
#include "crm/scope.h"

namespace welcome::crm {

class Lookups {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kAnHour = 60;  // of one box: a desk has one queue

  explicit Lookups(Crm& crm) : crm_(crm) {}

  contract::Found answer(const BoxKey& box, const contract::Lookup& lookup, Steady now);

 private:
  bool too_often(const BoxKey& box, Steady now);

  Crm& crm_;
  std::map<BoxKey, std::deque<Steady>> asked_;  // in the last hour
};

}  // namespace welcome::crm
