// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where boxes find the CRM's door. For commands with an option `door`.

#include <string>

#include "crm/cli/command.h"

namespace welcome::crm::cli {

// https://my.example.com; plain http on this machine alone. As the call says, else as it was said
// last, else where the customer's page is. Throws Usage.
std::string door_of(const Call& call, Opened& opened);

}  // namespace welcome::crm::cli
