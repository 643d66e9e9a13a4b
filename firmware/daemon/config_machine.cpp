// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/config_machine.h"

#include <cstdlib>
#include <fstream>
#include <grp.h>
#include <iterator>
#include <pwd.h>
#include <sodium.h>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <unistd.h>

#include "firmware/control/box_keys.h"

namespace welcome::daemon {

namespace fs = std::filesystem;

namespace {

constexpr const char* kAccount = "welcomed";
// In systemd's folders each of ours has this before its name (welcomed.service, LoadCredential=).
constexpr std::string_view kOurs = "welcomed.";

// One that is encrypted, or that nobody but root reads, is taken for a good one.
bool is_damaged(const std::string& name, const fs::path& file) {
  if (name != "box-key" && name != "store-key") return false;
  std::ifstream in(file, std::ios::binary);
  if (!in) return false;
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const bool good = name == "box-key" ? control::box_keys_in(text).has_value()
                                      : control::key_in(text).has_value();
  sodium_memzero(text.data(), text.size());
  return !good;
}

}  // namespace

Machine machine_with(const std::vector<fs::path>& folders) {
  Machine machine;
  machine.credentials.emplace();
  for (const fs::path& folder : folders) {
    std::error_code error;
    const fs::directory_iterator files(folder, error);
    if (error == std::errc::permission_denied) {
      machine.credentials.reset();
      return machine;
    }
    for (const auto& file : files) {
      std::string name = file.path().filename().string();
      if (!name.starts_with(kOurs)) continue;
      name.erase(0, kOurs.size());
      if (folder.extension() != ".encrypted" && is_damaged(name, file.path()))
        machine.damaged.insert(name);
      machine.credentials->insert(std::move(name));
    }
  }
  return machine;
}

Machine this_machine() {
  const char* given = std::getenv("CREDENTIALS_DIRECTORY");
  if (given == nullptr) return machine_with({"/etc/credstore", "/etc/credstore.encrypted"});
  Machine machine;
  machine.credentials.emplace();
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(given, ignored)) {
    const std::string name = file.path().filename().string();
    if (is_damaged(name, file.path())) machine.damaged.insert(name);
    machine.credentials->insert(name);
  }
  return machine;
}

void become_the_service() {
  if (::geteuid() != 0) return;
  const passwd* account = ::getpwnam(kAccount);
  if (account == nullptr) return;
  if (::initgroups(kAccount, account->pw_gid) != 0 || ::setgid(account->pw_gid) != 0 ||
      ::setuid(account->pw_uid) != 0) {
    throw std::runtime_error("cannot check with the rights of the account welcomed");
  }
}

}  // namespace welcome::daemon
