// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/retired_mark.h"

#include <system_error>

#include "provision/files.h"

namespace welcome::daemon {

namespace {

bool is_there(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

}  // namespace

RetiredMark::RetiredMark(const std::filesystem::path& state_dir)
    : file_(state_dir / "retired"), there_(is_there(file_)) {}

bool RetiredMark::put() {
  there_ = provision::replace_private(file_, "");
  return there_;
}

}  // namespace welcome::daemon
