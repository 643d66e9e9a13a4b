// welcomed: the daemon. See app.cpp for how it is put together.

#include <exception>
#include <iostream>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "firmware/daemon/app.h"
#include "firmware/daemon/config.h"
#include "firmware/daemon/version.h"

namespace {

constexpr int kFailure = 1;
constexpr int kConfiguration = 2;

int run(int argc, char** argv) {
  using welcome::daemon::CommandLine;
  const CommandLine line = welcome::daemon::read_config(argc, argv);
  switch (line.action) {
    case CommandLine::Action::help:
      welcome::daemon::print_help(std::cout);
      return 0;
    case CommandLine::Action::version:
      std::cout << "welcomed " << welcome::daemon::kVersion << '\n';
      return 0;
    case CommandLine::Action::describe_options:
      welcome::daemon::print_markdown_reference(std::cout);
      return 0;
    case CommandLine::Action::check_config:
      std::cout << "configuration is good\n";
      return 0;
    case CommandLine::Action::run:
      break;
  }
  // The journal stamps the lines itself; the level is all that it wants from us.
  spdlog::set_default_logger(spdlog::stderr_logger_mt("welcomed"));
  spdlog::set_pattern("%H:%M:%S.%e %l: %v");
  spdlog::set_level(spdlog::level::from_str(line.config.log_level));
  welcome::daemon::run(argc, argv, line);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const welcome::daemon::ConfigError& error) {
    std::cerr << "welcomed: " << error.what() << '\n';
    return kConfiguration;
  } catch (const std::exception& error) {
    std::cerr << "welcomed: " << error.what() << '\n';
    return kFailure;
  }
}
