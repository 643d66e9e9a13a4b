// SPDX-License-Identifier: Apache-2.0
#pragma once
// Another program, run to its end. Any thread.

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace welcome::ctl {

enum class Complaints : bool { shown, hidden };  // what it writes to standard error

// What `words` (the program as PATH has it, then its arguments) writes to standard output when it
// is given `input`, which fits a pipe (64 kB). Errors: not_found, refused (it failed).
Result<std::string> output_of(std::vector<std::string> words, std::string_view input = {},
                              Complaints complaints = Complaints::shown);

}  // namespace welcome::ctl
