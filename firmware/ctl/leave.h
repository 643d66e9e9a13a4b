// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcomectl factory-reset`: a machine that is no box any more (reset.h).

#include <filesystem>
#include <string>

namespace welcome::ctl {

struct LeaveCommand {
  std::filesystem::path root = "/";
  std::string welcomed;  // the program
  bool all = false;      // the owner's own configuration, too
  bool yes = false;      // nobody is asked
  bool finish = false;   // asked by the service: only what was begun
  bool json = false;
};

// The exit code (terminal.h).
int factory_reset(const LeaveCommand& command);

}  // namespace welcome::ctl
