// SPDX-License-Identifier: Apache-2.0
#pragma once
// The CRM's clock, in the contract's resolution.

#include <chrono>

#include "core/time.h"

namespace welcome::crm {

inline WallTime wall_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace welcome::crm
