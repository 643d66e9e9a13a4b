// SPDX-License-Identifier: Apache-2.0
#pragma once
// Adverts by way of bluetoothd, over D-Bus: for machines where it must keep the adapter. It hears
// less than our own host does (docs/ble.md says how much less) and does not advertise. Survives the
// adapter's going and coming, and bluetoothd's restart. The clock comes from outside and is called
// on the source's thread.

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "beacon/source.h"

namespace welcome::beacon {

struct BluezSourceConfig {
  std::string adapter = "hci0";  // or its address
  std::string bus;               // address of the bus; empty = the system bus
  std::chrono::milliseconds first_pause{250};
  std::chrono::milliseconds longest_pause{2000};  // so that it hears again ≤ 5 s after coming back
  // BlueZ is asked this often whether it still scans.
  std::chrono::milliseconds check_every{10000};
};

std::unique_ptr<AdvertSource> make_bluez_source(BluezSourceConfig config,
                                                std::function<Now()> clock);

}  // namespace welcome::beacon
