// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a handler of the door gets. Inside crm/door alone.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "crm/door/door.h"

namespace welcome::crm {

struct Door::Ask {
  const Request& request;
  std::vector<std::string> words;  // what stands for {…} in the path
  json body;                       // an object; empty where none is sent
  Session session;                 // of a device
  Now now;

  // Of the body; empty: it is not there, or no text.
  std::string text(const char* name) const {
    const auto found = body.find(name);
    return found == body.end() || !found->is_string() ? std::string() : found->get<std::string>();
  }
};

}  // namespace welcome::crm
