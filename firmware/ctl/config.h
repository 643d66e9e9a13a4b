// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcomectl config …`: what is set and where, and values of one's own in conf.d/90-local.conf.
// What a key is, and whether a value is good, welcomed itself says (`welcomed --settings`): so all
// of it works while no daemon runs.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace welcome::ctl {

struct ConfigCommand {
  std::vector<std::string> operands;
  std::filesystem::path config;  // welcomed.conf
  std::string welcomed;          // the program
  std::filesystem::path socket;
  bool apply = false;
  bool json = false;
};

// The exit code (terminal.h).
int config_get(const ConfigCommand& command);
int config_set(const ConfigCommand& command);
int config_unset(const ConfigCommand& command);
int config_diff(const ConfigCommand& command);

}  // namespace welcome::ctl
