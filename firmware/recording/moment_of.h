// SPDX-License-Identifier: Apache-2.0
#pragma once
// An event of the pipeline as a recording has it. Engine thread.

#include <optional>
#include <string_view>
#include <vector>

#include "core/pipeline.h"
#include "firmware/recording/cast.h"
#include "firmware/recording/format.h"

namespace welcome::recording {

// Nothing: it is about somebody who plays no part in this file. `item` is the JSON of a campaign or
// policy that the event brings, `sealed` what only the key of its customer opens.
std::optional<Happened> happened_of(const Event& event, std::string_view item,
                                    const std::optional<Sealed>& sealed, const Cast& cast);

std::vector<Decided> decided_of(const Effects& effects, const Cast& cast);

}  // namespace welcome::recording
