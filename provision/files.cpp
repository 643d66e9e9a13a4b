// SPDX-License-Identifier: Apache-2.0
#include "provision/files.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace welcome::provision {

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

bool write_through(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(fd) == 0;
}

bool settle(const std::filesystem::path& folder) {
  const File directory(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.fd() >= 0 && ::fsync(directory.fd()) == 0;
}

}  // namespace welcome::provision
