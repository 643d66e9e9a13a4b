// SPDX-License-Identifier: Apache-2.0
#pragma once
// How sure the box is that a customer is there in person; what may be said depends on it.

#include <cstdint>
#include <optional>
#include <string_view>

namespace welcome {

enum class Level : std::uint8_t {
  near,       // something of hers is in reach; not enough to say anything to staff
  present,    // her phone, or a face alone
  confirmed,  // two independent kinds of evidence: a phone and a face are a person
};

std::string_view to_string(Level level);
std::optional<Level> level_from_string(std::string_view text);

}  // namespace welcome
