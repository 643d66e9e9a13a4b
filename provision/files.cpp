// SPDX-License-Identifier: Apache-2.0
#include "provision/files.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
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

namespace {

bool replace(const std::filesystem::path& file, std::string_view text, mode_t mode) {
  const std::string fresh = file.string() + ".new";
  ::unlink(fresh.c_str());
  const File out(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                        S_IRUSR | S_IWUSR));
  if (out.fd() >= 0 && ::fchmod(out.fd(), mode) == 0 && write_through(out.fd(), text) &&
      ::rename(fresh.c_str(), file.c_str()) == 0 && settle(file.parent_path())) {
    return true;
  }
  const int why = errno;
  ::unlink(fresh.c_str());
  errno = why;
  return false;
}

}  // namespace

bool replace_private(const std::filesystem::path& file, std::string_view text) {
  return replace(file, text, S_IRUSR | S_IWUSR);
}

bool replace_public(const std::filesystem::path& file, std::string_view text) {
  return replace(file, text, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
}

}  // namespace welcome::provision
