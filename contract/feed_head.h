// SPDX-License-Identifier: Apache-2.0
#pragma once
// FeedHead: where the CRM stands in a collection, as it says in every batch that it signs. A value.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/time.h"

namespace welcome::contract {

// For whom a batch is: every box of the tenant, or, for the profiles of those alone whom a box has
// seen, the one that address_text() names.
inline constexpr std::string_view kScopeAll = "all";

struct FeedHead {
  std::string tenant;
  std::string scope{kScopeAll};
  std::uint64_t seq = 0;  // of the newest change, in the batch's epoch; not before its to_seq
  std::string digest;     // of the whole collection then, as hello says it
  WallTime at;            // when it was signed, by the CRM's clock
  friend bool operator==(const FeedHead&, const FeedHead&) = default;
};

}  // namespace welcome::contract
