// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/retired_mark.h"

#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace welcome::daemon {

namespace {

bool on_the_disk(const std::filesystem::path& what, int flags) {
  const int fd = ::open(what.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  const bool done = ::fsync(fd) == 0;
  ::close(fd);
  return done;
}

bool is_there(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

}  // namespace

RetiredMark::RetiredMark(const std::filesystem::path& state_dir)
    : file_(state_dir / "retired"), there_(is_there(file_)) {}

bool RetiredMark::put() {
  there_ = on_the_disk(file_, O_WRONLY | O_CREAT) &&
           on_the_disk(file_.parent_path(), O_RDONLY | O_DIRECTORY);
  return there_;
}

}  // namespace welcome::daemon
