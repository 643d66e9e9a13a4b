// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/capture_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>

namespace welcome::ctl {

Result<CaptureFile> CaptureFile::create(const std::filesystem::path& file) {
  if (file == "-") return CaptureFile(::dup(STDOUT_FILENO));
  std::error_code none;
  const bool special =
      std::filesystem::exists(file, none) && !std::filesystem::is_regular_file(file, none);
  const int fd = special ? ::open(file.c_str(), O_WRONLY | O_CLOEXEC)
                         : ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) return CaptureFile(fd);
  return fail(errno == EEXIST ? ErrorCode::refused : ErrorCode::unavailable,
              file.string() + ": " + std::strerror(errno));
}

CaptureFile::CaptureFile(CaptureFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

CaptureFile::~CaptureFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> CaptureFile::write(std::string_view records) {
  const off_t before = ::lseek(fd_, 0, SEEK_CUR);
  while (!records.empty()) {
    const ssize_t n = ::write(fd_, records.data(), records.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int why = errno;
      // Not for a pipe, which has no end to cut.
      if (before >= 0 && ::ftruncate(fd_, before) == 0) ::lseek(fd_, before, SEEK_SET);
      return fail(ErrorCode::full, std::strerror(why));
    }
    records.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace welcome::ctl
