// SPDX-License-Identifier: Apache-2.0
#pragma once
// What customers complain of on their page, for whoever answers at head office. It is a request of
// theirs (crm/intake.h): in their export, gone with them, and gone when requests are too old.
//
// What changes something runs inside the caller's Transaction. One thread. Nothing of it is logged.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "crm/database.h"

namespace welcome::crm {

struct Complaint {
  std::int64_t number = 0;
  std::string customer, at, text;  // the text may be empty: they only said that they complain
  std::optional<std::string> answered_at;
};

// The oldest first.
std::vector<Complaint> complaints(Database& db);
// Somebody has answered them. False: there is no such complaint, or it is answered.
bool answer_complaint(Database& db, std::int64_t number, WallTime now);

}  // namespace welcome::crm
