// SPDX-License-Identifier: Apache-2.0
#pragma once
// The app was woken by the box's iBeacon, heard the box's rotating EID, and reports it over its own
// line. The EID proves that the phone was here within the last minutes, if the box really sent it.

#include "beacon/hci_host.h"
#include "beacon/key_schedule.h"
#include "core/time.h"

namespace welcome::beacon {

// `heard_at` is what the app says; `patience` is how old a report may be, and how far the phone's
// clock may be off. False while the box's own clock is not trusted.
bool proves_presence(const BoxAdverts::RotatingEid& box, const Eid& eid, WallTime heard_at,
                     const Now& now, std::chrono::seconds patience = std::chrono::seconds{120});

}  // namespace welcome::beacon
