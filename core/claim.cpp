// SPDX-License-Identifier: Apache-2.0
#include "core/claim.h"

#include <array>

namespace welcome {

std::string_view to_string(Zone zone) {
  switch (zone) {
    case Zone::away:
      return "away";
    case Zone::street:
      return "street";
    case Zone::door:
      return "door";
    case Zone::inside:
      return "inside";
    case Zone::desk:
      return "desk";
  }
  return "?";
}

std::optional<Zone> zone_from_string(std::string_view text) {
  for (Zone z : std::array{Zone::away, Zone::street, Zone::door, Zone::inside, Zone::desk}) {
    if (to_string(z) == text) return z;
  }
  return std::nullopt;
}

std::string_view to_string(ClaimSource source) {
  switch (source) {
    case ClaimSource::eddystone_eid:
      return "eddystone_eid";
    case ClaimSource::rotating_uuid:
      return "rotating_uuid";
    case ClaimSource::resolvable_address:
      return "resolvable_address";
    case ClaimSource::static_beacon:
      return "static_beacon";
    case ClaimSource::app_report:
      return "app_report";
    case ClaimSource::face:
      return "face";
  }
  return "?";
}

}  // namespace welcome
