// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcomectl tablet …`: accounts of tablets in the files of the floor's broker. Needs the right to
// write there.

#include <filesystem>
#include <string>

namespace welcome::ctl {

struct TabletCommand {
  std::string name;              // of the tablet; empty for a list
  std::string broker_files;      // the folder with `passwords` and `acl`
  std::string page;              // add: https://…/tablet/
  std::filesystem::path socket;  // list: of the daemon
  bool json = false;
};

// The exit code (terminal.h).
int tablet_add(const TabletCommand& command);
int tablet_revoke(const TabletCommand& command);
int tablet_list(const TabletCommand& command);

}  // namespace welcome::ctl
