// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcomectl radio …`: recordings, the live table, and the walk test.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace welcome::ctl {

struct RadioCommand {
  std::string verb;  // "radio record", "radio watch" or "radio calibrate"
  std::string operand;
  std::filesystem::path socket;
  std::filesystem::path config;  // welcomed.conf; the walk test writes into conf.d beside it
  std::string welcomed;          // the program, to check what was written
  bool json = false;
  bool with_strangers = false;
  std::optional<std::int64_t> seconds;
  std::int64_t max_bytes = 0;
  std::string customer;  // whose device the technician carries; empty = the loudest
};

// The exit code (terminal.h).
int calibrate(const RadioCommand& command);
int run_radio(const RadioCommand& command);

// "45s", "10m", "2h" in seconds; nothing when it is none of these or more than a week.
std::optional<std::int64_t> duration_seconds(std::string_view text);

// The configuration file of a walk test: `borders` as welcomed answers them.
std::string zones_file(const nlohmann::json& borders, std::string_view day);

}  // namespace welcome::ctl
