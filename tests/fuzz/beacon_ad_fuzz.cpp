// SPDX-License-Identifier: Apache-2.0
// One AD payload from the air.

#include "beacon/ad.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace welcome::beacon;
  const AdContent content = decode_ad({data, size});
  for (const Frame& frame : content.frames) {
    if (kind_name(frame).empty()) __builtin_trap();
  }
  return 0;
}
