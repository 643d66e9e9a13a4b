// SPDX-License-Identifier: Apache-2.0
#pragma once
// The pusher beside a running `serve`: a thread with a database connection and the company's key.

#include <memory>

#include "crm/database.h"
#include "crm/server.h"
#include "crm/signing_keys.h"

namespace welcome::crm {

// The name under which the company's VAPID key lies among its signing keys.
inline constexpr const char* kPushKey = "push";

// From now on, until it goes; does nothing while nobody has set push up.
std::unique_ptr<Beside> open_pusher(std::unique_ptr<Database> db, SigningKeys keys);

}  // namespace welcome::crm
