// SPDX-License-Identifier: Apache-2.0
#pragma once
// The frames of an AD payload as JSON, for the commands of welcome-eval.

#include <nlohmann/json.hpp>

#include "beacon/ad.h"

namespace welcome::eval {

// Every frame: `kind`, the frame's own fields, and the payload's local name and TX power level.
nlohmann::ordered_json frames_json(const beacon::AdContent& content);

}  // namespace welcome::eval
