// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a radio can really have heard and a device really send, in dBm. Controllers and badly
// configured beacons say other things, too, and those are not believed, wherever they come from:
// live, replayed and evaluated adverts all pass the Tracker, which asks here. Pure; any thread.
//
// Sources: a Bluetooth transmitter has 100 mW (+20 dBm) at most (Core 5.4, Vol 6, Part A, 3), small
// chips send with -40 dBm at least. In free space the first metre costs 40 dB at 2.44 GHz (Friis);
// a case and a pocket cost ten more. Antennas that touch lose 20 dB between them: 0 and above are
// what drivers say that do not know. The thermal noise in 1 MHz is -114 dBm; no receiver hears 6 dB
// below it.

#include <cstdint>

namespace welcome::beacon {

constexpr bool is_possible_rssi(int dbm) { return dbm >= -120 && dbm < 0; }
constexpr bool is_possible_power_1m(int dbm) { return dbm >= -90 && dbm <= -20; }

}  // namespace welcome::beacon
