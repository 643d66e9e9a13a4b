#pragma once
// From bytes of the network to a JSON value, within limits. Inside sync/ only (pulls in the JSON
// library). Any thread.

#include <nlohmann/json.hpp>
#include <string_view>

#include "core/result.h"

namespace welcome::contract {

// Refuses, before it parses: more than kMaxPayload bytes, more than kMaxDepth levels, bytes that
// are not UTF-8. Of members with the same name the last counts.
Result<nlohmann::json> parse_json(std::string_view text);

bool valid_utf8(std::string_view text);

}  // namespace welcome::contract
