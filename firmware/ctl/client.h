// SPDX-License-Identifier: Apache-2.0
#pragma once
// Client: one question to a running welcomed over its control socket.

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "firmware/control/commands.h"
#include "firmware/control/protocol.h"

namespace welcome::ctl {

// What comes before the last answer, and whether to go on.
struct Listener {
  std::function<void(const std::string&)> progress = [](const std::string&) {};
  std::function<void(const nlohmann::json&)> part = [](const nlohmann::json&) {};
  // Asked several times a second: true ends work that would go on; its last answer still comes.
  std::function<bool()> stop = [] { return false; };
  // How long nothing may come; else what the table of commands says of this one.
  std::optional<std::chrono::milliseconds> silence{};
};

// Blocks until the last answer.
// Errors: unavailable (no daemon there, or it hangs), refused (its answer is an error), malformed.
Result<nlohmann::json> ask(const std::filesystem::path& socket, const control::Request& request,
                           const Listener& listener);
// A command of the table, so that there is one of that name.
Result<nlohmann::json> ask(const std::filesystem::path& socket, control::CommandId command,
                           nlohmann::json arguments = nlohmann::json::object(),
                           const Listener& listener = {});

}  // namespace welcome::ctl
