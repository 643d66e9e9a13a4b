// SPDX-License-Identifier: Apache-2.0
#pragma once
// When a commit is on the disk.

#include <cstdint>

namespace welcome::store {

enum class Durable : std::uint8_t {
  now,    // before the transaction returns
  later,  // with the next one that is: for what is asked for again if the plug is pulled in between
};

}  // namespace welcome::store
