// SPDX-License-Identifier: Apache-2.0
#pragma once
// From a row or an element of a file to what the CRM keeps. Used by import.cpp alone.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "crm/crm.h"
#include "crm/csv.h"
#include "crm/staff.h"

namespace welcome::crm {

// preference.KEY, preference.KEY.confirmed, preference.KEY.last_confirmed
bool is_preference(std::string_view column);

// `known`: the profile so far. A column that is not there leaves it as it was; an empty cell
// clears.
Result<json> profile_from(const CsvReader& row, const std::optional<json>& known);

Result<ConsentChange> consent_from(const CsvReader& row);

// `known`: as they are. A column that is not there leaves it as it was. Errors name the column.
Result<Staff::Line> staff_from(const CsvReader& row, const std::optional<Staff::Line>& known);

// `list`: campaigns, identities or policy.
Result<void> check_element(Crm& crm, const std::string& list, const json& value);
Result<void> put_element(Crm& crm, const std::string& list, const json& value);

}  // namespace welcome::crm
