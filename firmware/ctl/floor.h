// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcomectl floor …`: accounts of boxes in the files of the floor's broker, and what is done with
// these files for tablets, too (tablets.h). Needs the right to write there.

#include <string>

#include "core/result.h"

namespace welcome::ctl {

struct FloorCommand {
  std::string box;
  std::string broker_files;   // the folder with `passwords` and `acl`
  std::string password_file;  // add: made anew, for its owner alone
  bool json = false;
};

// Gives the box a fresh password, in the broker's files and in that of the command. True: it had an
// account before. Errors: refused (its name is a tablet's, or none for an account), not_found (it
// is no folder of a broker), unavailable (names the file).
Result<bool> put_box_account(const FloorCommand& command);

// The exit code (terminal.h).
int floor_add(const FloorCommand& command);
int floor_revoke(const FloorCommand& command);

// The broker reads its files again. False: it has to be told by hand, as the other one says.
bool reload_floor();
void say_not_reloaded();
// Says what is wrong with the files, and what to do; the exit code.
int broker_files_failed(const std::string& folder, const Error& error);

}  // namespace welcome::ctl
