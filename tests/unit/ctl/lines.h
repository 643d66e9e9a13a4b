// SPDX-License-Identifier: Apache-2.0
#pragma once
// A text by its lines.

#include <sstream>
#include <string>
#include <vector>

namespace welcome::ctl {

inline std::vector<std::string> lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

}  // namespace welcome::ctl
