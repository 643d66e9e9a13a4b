// SPDX-License-Identifier: Apache-2.0
#include "firmware/control/value_at.h"

#include <nlohmann/json.hpp>

namespace welcome::control {

using nlohmann::json;

json value_at(const json& answer, std::string_view path) {
  const json* here = &answer;
  while (!path.empty()) {
    const auto dot = path.find('.');
    const std::string key(path.substr(0, dot));
    if (!here->is_object() || !here->contains(key)) return {};
    here = &(*here)[key];
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return *here;
}

std::string word_at(const json& answer, std::string_view path) {
  const json found = value_at(answer, path);
  return found.is_string() ? found.get<std::string>() : std::string();
}

}  // namespace welcome::control
