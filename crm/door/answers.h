// SPDX-License-Identifier: Apache-2.0
#pragma once
// Answers of the door that several handlers give. Inside crm/door alone.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "crm/door/http.h"

namespace welcome::crm {

Response ok(const nlohmann::json& body);
Response nothing();  // it is done, and there is no more to say
Response malformed();
// Not now; the answer says when to come back.
Response again_later(int status, const char* name, const char* title);
Response tried_too_often();
Response step_up_needed();

// The name of a device, for its owner to read: one line, and not too long.
std::string clean_name(const std::string& text);

}  // namespace welcome::crm
