// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the door adds to the command line of welcome-crm.

#include "crm/cli/command.h"

namespace welcome::crm::cli {

const Beyond& with_door();

}  // namespace welcome::crm::cli
