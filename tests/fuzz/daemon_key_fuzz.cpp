// SPDX-License-Identifier: Apache-2.0
// Files with keys, as people make and damage them: 32 bytes, or none.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "contract/signing.h"
#include "core/hex.h"
#include "firmware/control/box_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto key = welcome::control::key_in(text)) {
    // Either the bytes themselves, or digits that say the same.
    if (size != key->size() && welcome::control::key_in(welcome::to_hex(*key)) != key) std::abort();
  }
  if (const auto ring = welcome::contract::KeyRing::parse(text)) {
    const auto again = welcome::contract::KeyRing::parse(ring->to_text());
    if (!again || again->to_text() != ring->to_text()) std::abort();
  }
  return 0;
}
