// SPDX-License-Identifier: Apache-2.0
#pragma once
// IdentityClaim: "this customer seems to be there", said by radio, camera or app. A claim is not
// acted on: it goes to the consent gate, which turns it into a Sighting or drops it.

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/ids.h"
#include "core/time.h"

namespace welcome {

// Where somebody is as seen from the boxes of a store, from far to near. `away` = out of reach.
enum class Zone : std::uint8_t { away, street, door, inside, desk };

std::string_view to_string(Zone zone);
std::optional<Zone> zone_from_string(std::string_view text);

enum class ClaimSource : std::uint8_t {
  eddystone_eid,
  rotating_uuid,
  resolvable_address,
  static_beacon,  // iBeacon, AltBeacon, Eddystone-UID: can be copied, never unlocks a prompt alone
  app_report,
  face,
};

std::string_view to_string(ClaimSource source);

struct IdentityClaim {
  CustomerId customer;
  ClaimSource source = ClaimSource::eddystone_eid;
  Zone fast = Zone::away;     // where she is this second: wakes the camera, walk-by offers
  Zone settled = Zone::away;  // where she stays: prompts, time line
  double similarity = 0.0;    // face: cosine with the template
  std::uint64_t track = 0;    // face: the camera's track, so that two matches of one face show
  bool doubted = false;       // radio: what proved her device before may have been a copy
  MonoTime at;
};

}  // namespace welcome
