// SPDX-License-Identifier: Apache-2.0
#pragma once
// RetiredMark: a file in the box's state directory that says that head office has taken the box's
// last word. Whoever began to retire it, as root, may then go on without asking the daemon again
// (firmware/ctl/reset.h). One thread.

#include <filesystem>

namespace welcome::daemon {

class RetiredMark {
 public:
  explicit RetiredMark(const std::filesystem::path& state_dir);
  bool there() const { return there_; }
  // On the disk when it returns true; else errno says why not.
  bool put();

 private:
  const std::filesystem::path file_;
  bool there_;
};

}  // namespace welcome::daemon
