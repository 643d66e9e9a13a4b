// SPDX-License-Identifier: Apache-2.0
#pragma once
// What `welcomectl status` says as metrics in the Prometheus text format 0.0.4.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace welcome::ctl {

// `status`: the daemon's answer. What it does not have is left out.
std::string metrics(const nlohmann::json& status);

}  // namespace welcome::ctl
