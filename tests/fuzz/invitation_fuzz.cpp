// SPDX-License-Identifier: Apache-2.0
// What somebody types as a code, and what comes as a sealed invitation: refused, or read; and a
// code that is read is the one that is shown again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sodium.h>
#include <string>
#include <string_view>

#include "provision/invitation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace welcome::provision;
  if (sodium_init() < 0) std::abort();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto code = InvitationCode::read(input)) {
    const auto again = InvitationCode::read(code->text());
    if (!again || again->text() != code->text()) std::abort();
  }
  static const InvitationCode kCode = InvitationCode::fresh();
  if (open(kCode, input)) std::abort();  // nobody has sealed it
  const std::string text(input);
  if (proves({text, text, text, text})) std::abort();
  return 0;
}
