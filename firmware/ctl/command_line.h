// SPDX-License-Identifier: Apache-2.0
#pragma once
// The command line of welcomectl, by the tables of its verbs: what was typed, and help.

#include <iosfwd>
#include <string>
#include <vector>

#include "firmware/ctl/verbs.h"

namespace welcome::ctl {

// What argv asks for. Either a verb and a call, or what is wrong ("" = help or version is wanted).
struct Typed {
  const Verb* verb = nullptr;
  Call call;
  std::string wrong;
};
Typed read_words(const std::vector<std::string>& words);

void print_help(std::ostream& out);
void print_help(const Verb& verb, std::ostream& out);
// All of it as JSON, for the manual and the shell's completion (packaging/manual.py).
void describe(std::ostream& out);

}  // namespace welcome::ctl
