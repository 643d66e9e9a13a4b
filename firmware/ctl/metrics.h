// SPDX-License-Identifier: Apache-2.0
#pragma once
// What `welcomectl status` says as metrics, by the table of firmware/control/metrics.h. Pure.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/exposition.h"

namespace welcome::ctl {

// `status`: the daemon's answer; null: it did not answer, and only that is said.
std::string metrics(const nlohmann::json& status, MetricsForm form);

}  // namespace welcome::ctl
