// SPDX-License-Identifier: Apache-2.0
#pragma once
// Small files that are replaced as a whole: written beside the old one, then renamed, so that
// nobody ever reads half of one. Functions that fail leave the reason in errno.

#include <filesystem>
#include <string_view>

namespace welcome::provision {

// An open descriptor, closed at the end; negative: it could not be opened.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// All of it, and on the disk.
bool write_through(int fd, std::string_view text);
// What was renamed or removed in this folder is so after a power cut, too.
bool settle(const std::filesystem::path& folder);
// Whoever is stopped in here leaves the file as it was, or as it is to be.
bool replace_private(const std::filesystem::path& file, std::string_view text);  // its owner's
bool replace_public(const std::filesystem::path& file, std::string_view text);   // all may read it

}  // namespace welcome::provision
