// SPDX-License-Identifier: Apache-2.0
#pragma once
// One result of welcome-eval: a line of JSON on stdout. A file's name may be any bytes; what is not
// UTF-8 in it is shown as such and ends no run.

#include <iostream>
#include <nlohmann/json.hpp>

namespace welcome::eval {

inline void print_line(const nlohmann::ordered_json& line) {
  std::cout << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace welcome::eval
