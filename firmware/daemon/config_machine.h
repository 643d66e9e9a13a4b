// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a check of the configuration looks at beside the files that it names: the secrets that
// systemd would hand over, adapters, and whose rights the service has. `--check` only; one thread.

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace welcome::daemon {

struct Machine {
  // Names of credentials that are there; nothing: who asks may not see them.
  std::optional<std::set<std::string>> credentials;
  std::set<std::string> damaged;  // of them, keys that are not 32 bytes
  std::filesystem::path adapters = "/sys/class/bluetooth";
};

// `folders`: where systemd finds credentials, encrypted ones too.
Machine machine_with(const std::vector<std::filesystem::path>& folders);
// What $CREDENTIALS_DIRECTORY has, or else what systemd would lay there.
Machine this_machine();

// From here on with the rights of the service's account, where root asks and there is one: what
// root can read the service may not. Throws std::runtime_error.
void become_the_service();

}  // namespace welcome::daemon
