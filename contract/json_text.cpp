// SPDX-License-Identifier: Apache-2.0
#include "contract/json_text.h"

#include <string>

#include "core/nesting.h"

namespace welcome::contract {

std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool valid_utf8(std::string_view text) { return first_bad_utf8(text) == std::string_view::npos; }

std::size_t first_bad_utf8(std::string_view text) {
  const auto* const begin = reinterpret_cast<const unsigned char*>(text.data());
  const auto* at = begin;
  const auto* const end = at + text.size();
  while (at < end) {
    const auto here = static_cast<std::size_t>(at - begin);
    const unsigned char lead = *at++;
    if (lead < 0x80) continue;
    int more = 0;
    // The second byte's range keeps out overlong forms, surrogates and everything above U+10FFFF.
    unsigned char low = 0x80, high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      more = 2;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    } else {
      return here;
    }
    for (; more > 0; --more) {
      if (at == end || *at < low || *at > high) return here;
      ++at;
      low = 0x80;
      high = 0xBF;
    }
  }
  return std::string_view::npos;
}

std::size_t first_too_deep(std::string_view text) {
  return welcome::first_too_deep(text, kMaxDepth);
}

Result<nlohmann::json> parse_json(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) {
    return fail(ErrorCode::malformed, "larger than " + std::to_string(max_bytes >> 20U) + " MiB");
  }
  if (!valid_utf8(text)) return fail(ErrorCode::malformed, "not UTF-8");
  if (first_too_deep(text) != std::string_view::npos) {
    return fail(ErrorCode::malformed, "nested deeper than 32 levels");
  }
  auto value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) return fail(ErrorCode::malformed, "not JSON");
  return value;
}

}  // namespace welcome::contract
