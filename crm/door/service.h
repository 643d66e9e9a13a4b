// SPDX-License-Identifier: Apache-2.0
#pragma once
// The door beside a running `serve`: a thread with a database connection, the door and a listener.

#include <memory>
#include <string>

#include "crm/crm.h"
#include "crm/server.h"

namespace welcome::crm {

struct DoorConfig {
  std::string host;
  std::uint16_t port = 0;
  std::string page;  // where the customer's page is; empty: as it was said last
};

// Listens from now on, until it goes. Throws std::runtime_error when it cannot, DatabaseError.
std::unique_ptr<Beside> open_door(std::unique_ptr<Database> db, SigningKeys keys,
                                  const DoorConfig& config);

}  // namespace welcome::crm
