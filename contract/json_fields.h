// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reading members of a value that its schema has already accepted. Inside sync/ only.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "contract/message.h"
#include "core/time.h"

namespace welcome::contract {

// What a schema cannot say (a month 13, two operators in one condition). Caught in this room.
struct BadField : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline std::string text(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? std::string() : found->get<std::string>();
}

// Schemas bound every integer to 53 bits.
inline std::int64_t integer(const nlohmann::json& object, const char* name,
                            std::int64_t otherwise = 0) {
  const auto found = object.find(name);
  return found == object.end() ? otherwise : found->get<std::int64_t>();
}

inline std::optional<WallTime> time(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  const auto value = from_rfc3339(found->get_ref<const std::string&>());
  if (!value) throw BadField(std::string(name) + ": no such time");
  return value;
}

inline WallTime time_of(const nlohmann::json& object, const char* name) {
  return time(object, name).value_or(WallTime{});
}

inline std::vector<std::string> words(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? std::vector<std::string>()
                               : found->get<std::vector<std::string>>();
}

}  // namespace welcome::contract
