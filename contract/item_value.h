// SPDX-License-Identifier: Apache-2.0
#pragma once
// Decoding of feed items from a parsed value. Inside sync/ only.

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "contract/items.h"

namespace welcome::contract {

// Validates, drops unknown members from `value` (not from consent records: their signature covers
// every member), decodes.
Result<Item> decode_value(Collection collection, nlohmann::json& value);

// The item's own key, and whose it is.
struct ItemHead {
  std::string_view key;
  CustomerId customer;
};
ItemHead head(const Item& item);

}  // namespace welcome::contract
