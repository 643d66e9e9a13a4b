// SPDX-License-Identifier: Apache-2.0
#pragma once
// From the JSON text of a feed item to the structs of the core.

#include <string>
#include <string_view>
#include <variant>

#include "contract/topics.h"
#include "core/campaign.h"
#include "core/consent.h"
#include "core/identity.h"
#include "core/profile.h"
#include "core/result.h"
#include "core/staff.h"

namespace welcome::contract {

using Item = std::variant<Profile, ConsentRecord, IdentityItem, Campaign, Policy, StaffMember>;

// Validates against the schema of the collection and decodes. Used for what arrives and for what
// the store kept. Pure; any thread. The error names the rule and the place, never a value.
Result<Item> decode_item(Collection collection, std::string_view text);

// For what people have written: refuses what decode_item() refuses, and also members that the
// schema does not know ("audiance"), which a box would leave out. The error names the place.
Result<void> check_written(Collection collection, std::string_view text);

// Whether a consent record is older than what is already known of the same customer and purpose: a
// late or replayed one. It is set aside, and what is held stays.
bool replayed(const ConsentStanding& known, const ConsentRecord& incoming);

}  // namespace welcome::contract
