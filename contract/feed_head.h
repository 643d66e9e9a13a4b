// SPDX-License-Identifier: Apache-2.0
#pragma once
// FeedHead: where the CRM stands in a collection, as it says in every batch that it signs. A value.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace welcome::contract {

// For whom a batch is: every box of the tenant; the boxes of one region, for what is about
// customers; for the profiles of those alone whom a box has seen, the one that address_text()
// names; or the boxes of one store, for who works there.
inline constexpr std::string_view kScopeAll = "all";
// An address has two slashes, and these one.
inline constexpr std::string_view kScopeRegion = "region/";
inline constexpr std::string_view kScopeStore = "store/";
inline std::string store_scope(std::string_view store) {
  return std::string(kScopeStore).append(store);
}
inline std::string region_scope(std::string_view region) {
  return std::string(kScopeRegion).append(region);
}
// Nothing: it is no region's.
inline std::optional<std::string_view> region_of_scope(std::string_view scope) {
  if (!scope.starts_with(kScopeRegion)) return std::nullopt;
  const std::string_view region = scope.substr(kScopeRegion.size());
  if (region.find('/') != std::string_view::npos) return std::nullopt;
  return region;
}

struct FeedHead {
  std::string tenant;
  std::string scope{kScopeAll};
  std::uint64_t seq = 0;  // of the newest change, in the batch's epoch; not before its to_seq
  std::string digest;     // of the whole collection then, as hello says it
  WallTime at;            // when it was signed, by the CRM's clock
  friend bool operator==(const FeedHead&, const FeedHead&) = default;
};

}  // namespace welcome::contract
