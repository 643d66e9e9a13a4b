// SPDX-License-Identifier: Apache-2.0
#pragma once
// Packets as they are on the wire, written byte by byte.

#include <initializer_list>
#include <string>

namespace welcome::mqtt {

inline std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out.push_back(static_cast<char>(value));
  return out;
}

}  // namespace welcome::mqtt
