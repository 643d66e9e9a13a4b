// SPDX-License-Identifier: Apache-2.0
// welcomed: the daemon. See app.cpp for how it is put together.

#include <exception>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "core/version.h"
#include "firmware/daemon/app.h"
#include "firmware/daemon/config.h"
#include "firmware/daemon/config_machine.h"
#include "firmware/daemon/log.h"

namespace {

constexpr int kFailure = 1;
constexpr int kConfiguration = 2;

int run(int argc, char** argv) {
  using welcome::daemon::CommandLine;
  std::optional<welcome::daemon::Machine> machine;
  const auto action = welcome::daemon::action_of(argc, argv);
  if (action == CommandLine::Action::check_config || action == CommandLine::Action::settings) {
    machine = welcome::daemon::this_machine();
    welcome::daemon::become_the_service();
  }
  const CommandLine line = welcome::daemon::read_config(argc, argv, machine);
  switch (line.action) {
    case CommandLine::Action::help:
      welcome::daemon::print_help(std::cout);
      return 0;
    case CommandLine::Action::version:
      std::cout << "welcomed " << welcome::kVersion << '\n';
      return 0;
    case CommandLine::Action::describe_options:
      welcome::daemon::print_markdown_reference(std::cout);
      return 0;
    case CommandLine::Action::check_config:
      for (const auto& note : line.notes) std::cerr << "welcomed: " << note << '\n';
      std::cout << "configuration is good\n";
      return 0;
    case CommandLine::Action::settings:
      welcome::daemon::print_settings(line, std::cout);
      return 0;
    case CommandLine::Action::run:
      break;
  }
  welcome::daemon::start_logging(line.config.log_level);
  welcome::daemon::run(argc, argv, line);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const welcome::daemon::ConfigError& error) {
    std::istringstream lines{error.what()};
    for (std::string text; std::getline(lines, text);) std::cerr << "welcomed: " << text << '\n';
    return kConfiguration;
  } catch (const std::exception& error) {
    std::cerr << "welcomed: " << error.what() << '\n';
    return kFailure;
  }
}
