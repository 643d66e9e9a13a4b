// SPDX-License-Identifier: Apache-2.0
#pragma once
// The CRM's schema: its steps are in schema.cpp, and every database takes those that it has not
// taken.

#include <cstdint>

#include "crm/database.h"

namespace welcome::crm {

constexpr std::int64_t kSchemaVersion = 20;
// The oldest schema whose versions of welcome-crm go on working with a database of this one. Every
// database says it.
constexpr std::int64_t kOldestReader = 14;

// As migrate(db), but no further than `to`: how a database of an older version looks.
void migrate(Database& db, std::int64_t to);

}  // namespace welcome::crm
