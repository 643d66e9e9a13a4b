// SPDX-License-Identifier: Apache-2.0
#pragma once
// The verbs of welcomectl: most ask one command of the control socket (control/commands.h), some do
// more. Help and checks of the command line (command_line.h) are made from these tables.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/ctl/terminal.h"

namespace welcome::ctl {

struct Option {
  std::string_view name;    // "max-mb"
  std::string_view letter;  // "" = none
  std::string_view value;   // what follows it: "FILE"; "" = nothing does
  std::string_view what;
};

// What was typed, taken apart.
struct Call {
  std::string self;     // argv[0]
  std::string operand;  // the first; "" = the verb has none
  std::vector<std::string> operands;
  std::map<std::string, std::string, std::less<>> options;

  bool has(std::string_view name) const { return options.find(name) != options.end(); }
  std::string text(std::string_view name, std::string_view fallback = {}) const;
};

struct Verb {
  std::string_view words;    // one or two
  std::string_view operand;  // "ID"; "[KEY]" may be left out, "KEY VALUE…" are pairs; "" = none
  std::string_view what;
  std::vector<std::string_view> options;  // beside those of every verb
  int (*run)(const Verb& verb, const Call& call);
};

// Its operand is a secret.
inline constexpr std::string_view kProvision = "provision";

std::span<const Verb> verbs();
// Those of every verb, then all others.
std::span<const Option> common_options();
std::span<const Option> special_options();

}  // namespace welcome::ctl
