// SPDX-License-Identifier: Apache-2.0
#pragma once
// A time by which old things may be deleted, as a box has it when its clock and the CRM's word are
// the same.

#include "core/timekeeper.h"

namespace welcome::test {

inline AgreedTime agreed(WallTime at) {
  Timekeeper keeper;
  keeper.crm_says({at, MonoTime{}});
  return *keeper.judge({MonoTime{}, at, {}}).agreed;
}
inline AgreedTime agreed(const Now& now) { return agreed(now.wall); }

}  // namespace welcome::test
