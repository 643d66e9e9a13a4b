// SPDX-License-Identifier: Apache-2.0
#pragma once
// Settings: one text by its name. Inside the caller's Transaction where it matters. One thread.

#include <string>

#include "crm/database.h"

namespace welcome::crm {

std::string setting(Database& db, const char* name);  // empty: it was never set
void set_setting(Database& db, const char* name, const std::string& value);

}  // namespace welcome::crm
