// SPDX-License-Identifier: Apache-2.0
#pragma once
// Canonical form and signature check of parsed values. Inside sync/ only.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "contract/signing.h"

namespace welcome::contract {

Result<std::string> canonical(const nlohmann::json& value);

// The object's "sig" over the rest of it.
Result<void> verify_value(const KeyRing& keys, const nlohmann::json& object);

}  // namespace welcome::contract
