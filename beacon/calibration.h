// SPDX-License-Identifier: Apache-2.0
#pragma once
// Walk test: from the levels that a box heard while somebody stood at marked places to the borders
// between its zones. Pure; any thread.

#include <array>
#include <span>
#include <string>
#include <vector>

#include "beacon/tracker.h"
#include "core/claim.h"
#include "core/result.h"

namespace welcome::beacon {

// What was heard at one place, as means of a second each; dB relative to 1 m.
struct WalkPlace {
  Zone zone = Zone::away;
  std::vector<double> levels_db;
};

struct ZoneBorder {
  Zone inner = Zone::away;  // the zone that ends here
  double level_db = 0.0;
  double metres = 0.0;  // the same by path loss, as the configuration has it
  double wrong = 0.0;   // share of the seconds that fall on the wrong side; street: 0
};

struct Calibration {
  std::array<ZoneBorder, 4> borders;  // desk, inside, door, street
};

// `places`: desk, inside, door and street, once each, in this order. A border lies where it puts
// the fewest seconds on the wrong side; the outer edge of the street lies 3 dB under the faintest 5
// % of it. Refused, with what to do: too little heard, two places that do not separate (more than
// 10 % of the seconds wrong, or medians closer than 3 dB), a border outside 0.5…100 m.
Result<Calibration> calibrate(std::span<const WalkPlace> places, double path_loss_exponent);

}  // namespace welcome::beacon
