// SPDX-License-Identifier: Apache-2.0
#pragma once
// The readers that decode.cpp calls once it knows who speaks. Errors as there; BadField where a
// schema cannot say what is wrong. Inside contract/ only.

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "contract/contract.h"
#include "contract/topics.h"

namespace welcome::contract {

// From the CRM.
Result<BoxInbound> feed_batch(const BoxAddress& self, std::string_view leaf, const RawMessage& raw,
                              const KeyRing* keys);
Result<BoxInbound> taken(const BoxAddress& self, const RawMessage& raw, const KeyRing* keys);
Result<BoxInbound> found(const BoxAddress& self, const RawMessage& raw, const KeyRing* keys);
Result<BoxInbound> command(const BoxAddress& self, const RawMessage& raw, const KeyRing* keys);
Result<BoxInbound> control(const ParsedTopic& topic, const RawMessage& raw, const KeyRing* keys);

// From the floor.
Result<BoxInbound> tablet_action(const ParsedTopic& topic, const RawMessage& raw);
Result<BoxInbound> enrol(const ParsedTopic& topic, const RawMessage& raw);
Result<BoxInbound> store_word(const ParsedTopic& topic, const RawMessage& raw);
Result<BoxInbound> ranging(const BoxAddress& self, const ParsedTopic& topic, const RawMessage& raw);

// From a box, its schema checked.
Result<CrmInbound> box_state(const nlohmann::json& payload);
Result<CrmInbound> hello(const BoxAddress& from, const nlohmann::json& payload);
Result<CrmInbound> event(const nlohmann::json& payload);
Result<CrmInbound> response(const nlohmann::json& payload);

}  // namespace welcome::contract
