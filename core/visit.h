// SPDX-License-Identifier: Apache-2.0
#pragma once
// A visit: one customer in one store, from the door to going away. Before the door it is an
// encounter (a passer-by): same id, never reported, ends quietly.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/claim.h"
#include "core/ids.h"
#include "core/level.h"
#include "core/time.h"

namespace welcome {

struct VisitEvent {
  enum class Kind : std::uint8_t { started, moved, confirmed, ended };
  Kind kind = Kind::started;
  VisitId visit;
  CustomerId customer;
  Zone zone = Zone::away;
  Level level = Level::near;
  WallTime started_at;
  WallTime at;
  std::string ended_why;  // ended only: "left", "consent", "forgotten", "staff"
  bool report = false;    // the customer gave visit_analytics: may go to the CRM
};
std::string_view to_string(VisitEvent::Kind kind);

// A visit as it stands, for status and lists.
struct VisitView {
  VisitId visit;
  CustomerId customer;
  bool in_store = false;  // false: an encounter in the street
  Zone zone = Zone::away;
  Level level = Level::near;
  WallTime started_at;
  WallTime last_seen;
  std::vector<std::string> by;  // "phone", "beacon", "app", "face"
};

}  // namespace welcome
