// SPDX-License-Identifier: Apache-2.0
// A campaign's text from outside: parsed or refused, and whatever is accepted renders.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto parsed = welcome::TextTemplate::parse(input);
  if (!parsed) return 0;
  welcome::TextValues values;
  (void)parsed->render(values);
  // A value is never read as a template: what comes out can be no longer than tags turned values.
  for (const auto& name : parsed->names()) values[name] = "{{#x}}{{>y}}";
  const auto out = parsed->render(values);
  if (!out) std::abort();  // every name has a value
  return 0;
}
