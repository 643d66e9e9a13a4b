// SPDX-License-Identifier: Apache-2.0
// Bytes that the store unsealed: whatever they are, a template or an error, and what was accepted
// writes back to the same bytes.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "vision/face_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  const auto face = welcome::vision::FaceTemplate::from_bytes(bytes);
  if (!face) return 0;
  const auto again = face->to_bytes();
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) std::abort();
  return 0;
}
