// SPDX-License-Identifier: Apache-2.0
// Rows of state as a damaged disk might give them back: read or refused, never more.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/facts.h"
#include "core/learner.h"
#include "core/presence.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace welcome;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const Now now{MonoTime{std::chrono::hours{1}},
                std::chrono::sys_days{std::chrono::year{2026} / 11 / 21}, true};
  if (const auto facts = decode_facts(input)) {
    // What was read can be written and read again.
    if (!decode_facts(encode(*facts))) std::abort();
  }
  if (const auto presence = decode_presence(input, now)) {
    if (!decode_presence(encode(*presence, now), now)) std::abort();
  }
  Learner learner;
  (void)learner.load(CampaignId("k"), input);
  return 0;
}
