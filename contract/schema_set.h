// SPDX-License-Identifier: Apache-2.0
#pragma once
// The JSON Schemas of docs/schemas, compiled once. Inside sync/ only. Any thread.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace welcome::contract {

struct SchemaText {
  std::string_view name;  // file name without .json
  std::string_view text;
};

// Made at build time from docs/schemas.
const std::vector<SchemaText>& schema_texts();

// Error: malformed, with the place (only names that a schema knows) and the rule, never a value.
Result<void> check_schema(std::string_view name, const nlohmann::json& value);

// Removes what the schema does not describe: the box keeps no data that nobody defined.
void keep_known(std::string_view name, nlohmann::json& value);

}  // namespace welcome::contract
