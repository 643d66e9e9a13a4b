// SPDX-License-Identifier: Apache-2.0
#pragma once
// From bytes from outside to a JSON value, within limits, and back. Any thread. The JSON library
// comes with it, so it stays out of headers.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "contract/contract.h"
#include "core/result.h"

namespace welcome::contract {

// Refuses, before it parses: more than `max_bytes`, more than kMaxDepth levels, bytes that are not
// UTF-8. Of members with the same name the last counts.
Result<nlohmann::json> parse_json(std::string_view text, std::size_t max_bytes = kMaxPayload);

// A payload as its value, when the schema (schema_set.h) takes it. An error names the schema.
Result<nlohmann::json> accepted(std::string_view schema, std::string_view payload);

// Bytes that are not UTF-8 (a path, what a device answers, a row of our own store) become U+FFFD,
// not an exception.
std::string dump(const nlohmann::json& value);

bool valid_utf8(std::string_view text);
// Where the first byte that is not UTF-8 lies, or the first bracket that is nested too deep; npos:
// nowhere.
std::size_t first_bad_utf8(std::string_view text);
std::size_t first_too_deep(std::string_view text);

}  // namespace welcome::contract
