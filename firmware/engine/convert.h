// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where two rooms have a type each for the same thing. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>

#include "beacon/identity.h"
#include "contract/message.h"
#include "contract/topics.h"
#include "core/consent.h"
#include "core/identity.h"
#include "firmware/store/outbox.h"
#include "firmware/store/replica.h"

namespace welcome::daemon {

beacon::IdentityKey key_of(const IdentityItem& item);

// A record with that standing and no more.
ConsentRecord record_of(const CustomerId& customer, Purpose purpose,
                        const ConsentStanding& standing);
// Whether it lets templates follow the customer's looks.
bool names_ageing(const ConsentRecord& record);

// What an item comes down to, in a few bytes: a start with 100,000 customers reads these. The
// consent record that comes back has that standing and no more.
std::string brief_of(const ConsentRecord& record);
std::optional<ConsentRecord> consent_of_brief(const CustomerId& customer, std::string_view brief);
std::string brief_of(const beacon::IdentityKey& key);
std::optional<beacon::IdentityKey> key_of_brief(const CustomerId& customer, std::string_view brief);

store::Link store_link(contract::LinkName link);
store::Collection store_collection(contract::Collection collection);

}  // namespace welcome::daemon
