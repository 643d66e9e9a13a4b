// SPDX-License-Identifier: Apache-2.0
#pragma once
// The feed's items in one pass (quick_json.h), for what comes a hundred thousand at a time:
// profiles, consents, identities. What comes out is what decode_value() makes of the same text;
// nothing comes out where that would refuse it, or leave a member out, and also where it is merely
// written in an unusual way. Inside contract/ only. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contract/items.h"

namespace welcome::contract {

struct QuickItem {
  Item item;
  // Of a consent record in canonical form: what its signature covers, and by whom it is.
  struct Signed {
    std::string text;
    std::string key;
    std::string value;
  };
  std::optional<Signed> signed_part;
};

// `text` is UTF-8.
std::optional<QuickItem> quick_item(Collection collection, std::string_view text);

// A batch without its items, and these, unread: each value is JSON if the reader who takes it says
// so, and the batch is if `rest` and all values are.
struct LiftedEntry {
  std::uint64_t seq = 0;
  bool deleted = false;
  std::string_view key;
  std::optional<std::string_view> value;  // in the batch's text
};
struct LiftedItems {
  std::string rest;
  std::vector<LiftedEntry> entries;
};
std::optional<LiftedItems> lift_items(std::string_view batch);

}  // namespace welcome::contract
