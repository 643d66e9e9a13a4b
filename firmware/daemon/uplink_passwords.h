// SPDX-License-Identifier: Apache-2.0
#pragma once
// UplinkPasswords: with what the box may come in at the central broker. A new one is made here when
// the CRM asks for it, and what head office is told is its salted hash alone. The one before stays
// until the new one has come in once: both are tried at each connection, and what the technician
// gave (the credential) after them. Any thread.

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "core/result.h"

namespace welcome::daemon {

class UplinkPasswords {
 public:
  // `credential`: of the technician; empty: none. A file that cannot be read counts for nothing.
  UplinkPasswords(const std::filesystem::path& state_dir, std::string credential);

  // In their order; without any the box has no password.
  std::vector<std::string> to_try() const;
  // The broker has let us in with it.
  void worked(const std::string& password);
  // As a broker's password_file has it behind the name: `$7$…`. The new password is on the disk
  // when this returns; said again before it has come in, it is the same one. Errors: unavailable.
  Result<std::string> renew();

 private:
  bool save() const;

  const std::filesystem::path file_;
  const std::string credential_;
  mutable std::mutex mutex_;  // of what follows
  std::string now_, next_;    // empty: none
};

}  // namespace welcome::daemon
