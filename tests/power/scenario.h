// SPDX-License-Identifier: Apache-2.0
#pragma once
// A busy day of a store in steps, each of which happens wholly or not at all, and a description of
// everything a store holds, to compare by.

#include <functional>
#include <string>
#include <vector>

#include "firmware/store/store.h"

namespace welcome::test {

struct Step {
  const char* name;
  // False when the store said that it failed.
  std::function<bool(store::Store&)> run;
};

std::vector<Step> busy_day();

// All that was promised to be kept, as text; empty when something could not be read. Completes
// erasures that were begun, as the daemon does at its start.
std::string describe(store::Store& store);

}  // namespace welcome::test
