// SPDX-License-Identifier: Apache-2.0
#pragma once
// The radio that the configuration asks for. Start-up only.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "beacon/hci_host.h"
#include "beacon/hci_transport.h"
#include "beacon/source.h"
#include "firmware/daemon/config.h"
#include "firmware/engine/clock.h"
#include "firmware/store/store.h"

namespace welcome::daemon {

// What radio.device can be.
struct Adapter {
  beacon::AdapterName name;  // N of hciN, or the adapter's own address
};
struct SerialLine {
  std::string path;
};
struct UnixSocket {
  std::string path;
};
using RadioDevice = std::variant<Adapter, SerialLine, UnixSocket>;
std::optional<RadioDevice> parse_radio_device(const std::string& text);

// UUID:MAJOR:MINOR
std::optional<beacon::BoxAdverts::IBeaconId> parse_ibeacon(const std::string& text);

// The box's own rotating EID; its key comes from the box key, so nobody has to keep another one.
// Nothing when the box does not advertise it.
std::optional<beacon::BoxAdverts::RotatingEid> box_eid(const Config& config,
                                                       const store::BoxKey& key);

// Null for radio.source = none. The clock outlives the source.
std::unique_ptr<beacon::AdvertSource> make_radio(
    const Config& config, const Clock& clock,
    const std::optional<beacon::BoxAdverts::RotatingEid>& eid);

}  // namespace welcome::daemon
