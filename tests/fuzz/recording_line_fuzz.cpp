// SPDX-License-Identifier: Apache-2.0
// A recorded day that somebody changed: lines are read or refused, and what was read is written and
// read again as the same.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "firmware/recording/cards.h"
#include "firmware/recording/format.h"

namespace {

using namespace welcome::recording;

// Written again it is what was written first.
template <class Decode>
void same_again(const Decode& decode, std::string_view text) {
  const auto first = decode(text);
  if (!first) return;
  const std::string written = encode(*first);
  const auto second = decode(written);
  if (!second || encode(*second) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    same_again(decode_line, text.substr(at, end - at));
    at = end + 1;
  }
  same_again(decode_card_face, text);
  same_again(decode_known_profile, text);
  same_again(decode_said_preference, text);
  if (const auto key = decode_stored_key("k", text); key && !decode_stored_key("k", encode(*key))) {
    std::abort();
  }
  return 0;
}
