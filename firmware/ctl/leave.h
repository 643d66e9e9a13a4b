// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcomectl factory-reset` and `retire`: a machine that is no box any more (reset.h). Who retires
// one tells head office first, signed with the key that then goes.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace welcome::ctl {

struct LeaveCommand {
  std::filesystem::path root = "/";
  std::string welcomed;  // the program
  bool all = false;      // the owner's own configuration, too
  bool yes = false;      // nobody is asked
  bool finish = false;   // asked by the service: only what was begun
  bool json = false;
  std::filesystem::path socket{};         // retire: of the daemon
  std::optional<std::int64_t> seconds{};  // retire: how long to wait for head office
  bool without_proof = false;             // retire: do not wait
};

// The exit code (terminal.h).
int factory_reset(const LeaveCommand& command);
int retire(const LeaveCommand& command);

}  // namespace welcome::ctl
