// SPDX-License-Identifier: Apache-2.0
#pragma once
// RFC 3339, UTC, milliseconds: "2026-05-02T10:00:00.000Z". Internal to firmware/store.

#include <string>

#include "core/time.h"

namespace welcome::store {

std::string time_text(WallTime time);

}  // namespace welcome::store
