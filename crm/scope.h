// SPDX-License-Identifier: Apache-2.0
#pragma once
// Scope: for whom a collection is made. A value.

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

#include "contract/feed_head.h"

namespace welcome::crm {

using BoxKey = std::pair<std::string, std::string>;  // store, box

struct Scope {
  enum class Kind : std::uint8_t {
    all,     // every box
    region,  // the boxes of one; of those without a region where it has no name
    box,     // one box: who it has seen
    store,   // the boxes of one: who works there
  };
  Kind kind = Kind::all;
  std::string region;  // or `store`: its name in the table of homes (crm/regions.h)
  BoxKey box;

  static Scope of_region(std::string name) { return {Kind::region, std::move(name), {}}; }
  static Scope of_store(const std::string& name) {
    return {Kind::store, contract::store_scope(name), {}};
  }
  static Scope of_box(BoxKey one) { return {Kind::box, {}, std::move(one)}; }
  friend auto operator<=>(const Scope&, const Scope&) = default;
};

}  // namespace welcome::crm
