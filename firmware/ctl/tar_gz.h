// SPDX-License-Identifier: Apache-2.0
#pragma once
// Some texts as one .tar.gz, as libarchive packs it. Any thread.

#include <chrono>
#include <string>
#include <vector>

#include "core/result.h"

namespace welcome::ctl {

struct PackedText {
  std::string name;  // with its folder
  std::string text;
};

// Its bytes. Errors: internal.
Result<std::string> tar_gz(const std::vector<PackedText>& texts,
                           std::chrono::system_clock::time_point at);

}  // namespace welcome::ctl
