// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcomectl provision`: a machine with the package becomes the box that head office invited. Said
// again, it goes on where it was stopped. Needs root.

#include <filesystem>
#include <istream>
#include <string>

#include "core/result.h"

namespace welcome::ctl {

struct ProvisionCommand {
  std::string code;          // or the link with it; empty or "-": is asked for
  std::string door;          // https://…; empty: the link says it
  std::string invitation;    // a file in place of the door
  std::string config;        // welcomed.conf
  std::string credentials;   // of a welcomed that systemd does not start; empty: it does
  std::string broker_files;  // of the floor's broker, where this machine has it
  std::filesystem::path socket;
  std::string welcomed;  // the program
  bool again = false;    // also when the machine is another box
  bool json = false;
};

// What somebody typed or scanned.
struct CodeAndDoor {
  std::string code;
  std::string door;  // of a link; empty: a code alone
};
// Errors: malformed (a link without a code, or to something that is no door).
Result<CodeAndDoor> code_and_door(const std::string& typed);

// The exit code (terminal.h). `in`: where the code is asked for.
int provision_box(const ProvisionCommand& command, std::istream& in);

}  // namespace welcome::ctl
