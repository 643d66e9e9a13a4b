// SPDX-License-Identifier: Apache-2.0
#pragma once
// What `welcomectl status` says as metrics, by the table of firmware/control/metrics.h. Pure.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace welcome::ctl {

// The two differ in what a counter, an information and a state are called, so that no text is both.
enum class MetricsForm : bool {
  prometheus,   // text format 0.0.4, which node_exporter's textfile collector takes
  openmetrics,  // OpenMetrics 1.0
};

// `status`: the daemon's answer; null: it did not answer, and only that is said.
std::string metrics(const nlohmann::json& status, MetricsForm form);

}  // namespace welcome::ctl
