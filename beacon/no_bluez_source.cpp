// SPDX-License-Identifier: Apache-2.0
// In place of bluez_source.cpp where WELCOME_BLUEZ is off.

#include <stdexcept>

#include "beacon/bluez_source.h"

namespace welcome::beacon {

std::unique_ptr<AdvertSource> make_bluez_source(BluezSourceConfig, std::function<Now()>) {
  throw std::runtime_error(
      "this build cannot hear by way of BlueZ: set radio.source = hci, or build with "
      "WELCOME_BLUEZ");
}

}  // namespace welcome::beacon
