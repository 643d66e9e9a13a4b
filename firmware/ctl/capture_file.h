// SPDX-License-Identifier: Apache-2.0
#pragma once
// CaptureFile: where a recording goes. Made again, for its owner alone; a pipe or device is taken
// as it is, "-" is standard output. What cannot be written whole is cut off again, so that the file
// ends with a whole record. One thread.

#include <filesystem>
#include <string_view>

#include "core/result.h"

namespace welcome::ctl {

class CaptureFile {
 public:
  // Refused: a file of that name exists already.
  static Result<CaptureFile> create(const std::filesystem::path& file);
  CaptureFile(CaptureFile&& other) noexcept;
  CaptureFile& operator=(CaptureFile&&) = delete;
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;
  ~CaptureFile();

  // Whole records. Fails as full.
  Result<void> write(std::string_view records);

 private:
  explicit CaptureFile(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace welcome::ctl
