// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/leave.h"

#include <iostream>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "firmware/ctl/config.h"
#include "firmware/ctl/print.h"
#include "firmware/ctl/reset.h"
#include "firmware/ctl/terminal.h"

namespace welcome::ctl {

namespace {

namespace fs = std::filesystem;

constexpr const char* kGone =
    "the box key (whatever it has sealed is unreadable from then on), the database and "
    "recordings,\n"
    "passwords, what welcomectl provision has written, and the accounts at the floor's broker";

fs::path config_of(const LeaveCommand& command) {
  return command.root / "etc/welcomed/welcomed.conf";
}

// Somebody who types the name of this box means this box.
bool is_meant(const LeaveCommand& command, const std::string& name) {
  if (command.yes) return true;
  std::cerr << "This destroys for good: " << kGone
            << (command.all ? ";\nand the configuration, as it was before anybody wrote it" : "")
            << ".\nType the name of the box (" << for_terminal(name)
            << ") to go on: " << std::flush;
  std::string typed;
  return std::getline(std::cin, typed) && typed == name;
}

int end(const LeaveCommand& command, const Result<void>& done) {
  if (!done) {
    return failed(done.error().message +
                  ". It is begun: say the same again, or start the service, which ends it first");
  }
  if (command.json) {
    std::cout << nlohmann::json{{"reset", true}, {"all", command.all}}.dump() << '\n';
  } else {
    std::cout << "This machine is as installed: it has no key and nothing of anybody.\n";
  }
  return kDone;
}

// Before the service: that it was ended just now is no start of a box.
int finish_for_service(const LeaveCommand& command) {
  const Reset reset(command.root);
  const auto begun = reset.begun();
  if (!begun) return kDone;
  if (auto done = reset.finish(*begun, true); !done) return failed(done.error());
  return failed("this machine was reset, and is no box any more");
}

}  // namespace

int factory_reset(const LeaveCommand& command) {
  if (::geteuid() != 0) return failed("only root can do that");
  if (command.finish) return finish_for_service(command);
  const Reset reset(command.root);
  ResetOrder order{command.all, {}};
  if (const auto begun = reset.begun()) {
    order = *begun;
    order.all = order.all || command.all;
  } else {
    const fs::path config = config_of(command);
    order.state_dir = config_value(command.welcomed, config, "box.state_dir", "/var/lib/welcomed");
    const std::string name = config_value(command.welcomed, config, "box.id", "");
    if (!is_meant(command, name.empty() ? "welcomed" : name)) return failed("nothing has changed");
  }
  if (auto done = reset.begin(order); !done) return failed(done.error());
  return end(command, reset.finish(order, false));
}

}  // namespace welcome::ctl
