// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcomectl watch`: a box on one screen, again and again. One thread.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace welcome::ctl {

// A status in 80 columns and 23 lines: lights, radio, cameras, lines, and how many are here. Pure.
std::string watch_text(const nlohmann::json& status, bool coloured);

// Until q or Ctrl-C; where nobody looks (no terminal), once. The exit code (terminal.h).
int watch_box(const std::string& socket);

}  // namespace welcome::ctl
