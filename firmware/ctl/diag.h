// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcomectl diag collect`: what support wants to know of a box, in one file, and nothing of a
// person. Each part says itself when it cannot be had: most is asked for when something is broken.

#include <string>
#include <string_view>
#include <vector>

#include "firmware/control/protocol.h"
#include "firmware/ctl/scrub.h"
#include "firmware/ctl/settings.h"
#include "firmware/ctl/tar_gz.h"

namespace welcome::ctl {

struct DiagCommand {
  std::string file;      // "" = one with the box's name and the time, here
  std::string socket;    // of the control server
  std::string config;    // welcomed.conf
  std::string welcomed;  // the program
  bool json = false;
};

// Asks, looks, packs, and writes it for its owner alone. The exit code (terminal.h): done also when
// welcomed is away.
int diag_collect(const DiagCommand& command);

// What of the daemon's answers is told, for tests. ---

// A list without what is of one person each: how many there are, by `keys`.
nlohmann::json counts_by(const nlohmann::json& rows, const std::vector<std::string_view>& keys);
// What `welcomed --settings` says, without a value that is none: it may be a secret in the wrong
// place.
std::string settings_text(const ToldSettings& told);

}  // namespace welcome::ctl
