// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the messages of several families are made of. Inside contract/ only.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "contract/contract.h"
#include "contract/json_text.h"
#include "contract/signing.h"

namespace welcome::contract {

void set_if(nlohmann::json& object, const char* name, const std::string& value);
// An empty object where it is none.
nlohmann::json object_of(const std::string& text);
Message message_on(std::string topic, const nlohmann::json& payload);

// What is signed says for which box it is, so that nobody moves it to another one.
void put_address(nlohmann::json& payload, const BoxAddress& box);
// What was signed for another box says nothing of ours, whoever moves it to our topic.
bool is_for(const BoxAddress& self, const nlohmann::json& payload);

nlohmann::json signed_by(const nlohmann::json& value, const Signer* signer);
// With `keys` only what one of them signed.
Result<void> check_signed(const std::string& what, const nlohmann::json& payload,
                          const KeyRing* keys);
// As its schema has it, and signed.
Result<nlohmann::json> accepted_signed(const std::string& what, const RawMessage& raw,
                                       const KeyRing* keys);

nlohmann::json notice_json(const ConsentNotice& notice);
std::optional<ConsentNotice> notice(const nlohmann::json& value);
nlohmann::json confirm_json(const Confirmation& confirm);
std::optional<Confirmation> confirmation(const nlohmann::json& data);

// NPS where nothing is said.
SurveyKind survey_kind(const nlohmann::json& value, const char* name);

}  // namespace welcome::contract
