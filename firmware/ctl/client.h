#pragma once
// Client: one question to a running welcomed over its control socket.

#include <filesystem>
#include <functional>
#include <string>

#include "firmware/control/protocol.h"

namespace welcome::ctl {

// Blocks until the last answer. `progress` is called for each progress line.
// Errors: unavailable (no daemon there), refused (its answer is an error), malformed.
Result<nlohmann::json> ask(const std::filesystem::path& socket, const control::Request& request,
                           const std::function<void(const std::string&)>& progress);

}  // namespace welcome::ctl
