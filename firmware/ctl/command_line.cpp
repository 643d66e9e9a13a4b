// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/command_line.h"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "core/nearest.h"
#include "firmware/control/wrapped.h"

namespace welcome::ctl {

namespace {

using nlohmann::json;

const Option* find_option(std::string_view typed) {
  const auto is = [&](const Option& o) {
    return typed == "--" + std::string(o.name) ||
           (!o.letter.empty() && typed == "-" + std::string(o.letter));
  };
  for (const auto options : {common_options(), special_options()}) {
    const auto found = std::find_if(options.begin(), options.end(), is);
    if (found != options.end()) return &*found;
  }
  return nullptr;
}

std::string unknown_option(const std::string& typed) {
  std::vector<std::string> names;
  for (const auto& o : common_options()) names.push_back("--" + std::string(o.name));
  for (const auto& o : special_options()) names.push_back("--" + std::string(o.name));
  const std::vector<std::string_view> views(names.begin(), names.end());
  return "unknown option '" + typed + "'" + did_you_mean(typed, views);
}

std::string unknown_verb(const std::vector<std::string>& words) {
  std::vector<std::string_view> known;
  std::vector<std::string_view> first_words;
  for (const Verb& verb : verbs()) {
    known.push_back(verb.words);
    first_words.push_back(verb.words.substr(0, verb.words.find(' ')));
  }
  const std::string two = words.size() > 1 ? words[0] + " " + words[1] : words[0];
  std::string meant = did_you_mean(two, known);
  if (meant.empty()) meant = did_you_mean(words[0], known);
  if (meant.empty()) {
    // "radio" or "raido" alone: which are there?
    const auto group = nearest(words[0], first_words);
    for (const auto verb : known) {
      if (group.empty() || !verb.starts_with(std::string(group) + " ")) continue;
      meant += (meant.empty() ? "; there is " : ", ") + std::string(verb);
    }
  }
  return "unknown verb '" + two + "'" + meant;
}

bool takes(const Verb& verb, std::string_view option) {
  const auto common = std::any_of(common_options().begin(), common_options().end(),
                                  [&](const Option& o) { return o.name == option; });
  return common ||
         std::find(verb.options.begin(), verb.options.end(), option) != verb.options.end();
}

// A verb is one word or two.
const Verb* find_verb(const std::vector<std::string>& words, std::size_t& used) {
  const std::string two = words.size() > 1 ? words[0] + " " + words[1] : "";
  for (used = 2; used > 0; --used) {  // `clock trust` is not `clock` with an operand
    for (const Verb& verb : verbs()) {
      if (verb.words == (used == 2 ? two : words[0])) return &verb;
    }
  }
  return nullptr;
}

// "[KEY]" may be left out; what ends with "…" may be said again.
void take_operands(std::vector<std::string> operands, Typed& typed) {
  const std::string_view wanted = typed.verb->operand;
  const auto most = wanted.empty() ? 0 : 1 + std::count(wanted.begin(), wanted.end(), ' ');
  const auto least = wanted.starts_with('[') ? 0 : most;
  const auto count = static_cast<std::ptrdiff_t>(operands.size());
  if (count < least || (count > most && !wanted.ends_with("…"))) {
    constexpr std::string_view kHow[] = {" takes no operand", " takes one operand: ", " takes "};
    typed.wrong = std::string(typed.verb->words);
    typed.wrong.append(kHow[std::min<std::ptrdiff_t>(most, 2)]).append(wanted);
    return;
  }
  if (!operands.empty()) typed.call.operand = operands.front();
  typed.call.operands = std::move(operands);
}

void find_meaning(std::vector<std::string> words, Typed& typed) {
  const bool help = !words.empty() && words[0] == "help";
  if (help) {
    words.erase(words.begin());
    typed.call.options["help"] = "";
  }
  if (words.empty()) {
    if (!typed.call.has("help") && !typed.call.has("version")) typed.wrong = "no verb";
    return;
  }
  std::size_t used = 0;
  typed.verb = find_verb(words, used);
  if (typed.verb == nullptr) {
    typed.wrong = unknown_verb(words);
    return;
  }
  if (typed.call.has("help")) return;
  const Verb& verb = *typed.verb;
  for (const auto& [name, value] : typed.call.options) {
    if (!takes(verb, name)) typed.wrong = "--" + name + " is not for " + std::string(verb.words);
  }
  take_operands({words.begin() + static_cast<std::ptrdiff_t>(used), words.end()}, typed);
}

// ---- help

void print_row(std::ostream& out, std::string left, std::string_view what) {
  constexpr std::size_t kLeft = 26;
  left.resize(std::max(left.size() + 1, kLeft), ' ');
  out << left << control::wrapped(what, kLeft) << '\n';
}

void print_option(std::ostream& out, const Option& o) {
  std::string left = "  --" + std::string(o.name);
  if (!o.letter.empty()) left += ", -" + std::string(o.letter);
  if (!o.value.empty()) left += " " + std::string(o.value);
  print_row(out, left, o.what);
}

}  // namespace

Typed read_words(const std::vector<std::string>& argv) {
  Typed typed;
  typed.call.self = argv.empty() ? std::string() : argv.front();
  std::vector<std::string> words;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    // "-" is an operand, and so is "-59".
    if (word.size() < 2 || word.front() != '-' || (word[1] >= '0' && word[1] <= '9')) {
      words.push_back(word);
      continue;
    }
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const Option* option = find_option(name);
    if (option == nullptr) {
      typed.wrong = unknown_option(name);
      return typed;
    }
    std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (option->value.empty() && equals != std::string::npos) {
      typed.wrong = name + " takes no value";
      return typed;
    }
    if (!option->value.empty() && equals == std::string::npos) {
      if (++i == argv.size()) {
        typed.wrong = name + " needs " + std::string(option->value);
        return typed;
      }
      value = argv[i];
    }
    typed.call.options[std::string(option->name)] = value;
  }
  find_meaning(std::move(words), typed);
  return typed;
}

void print_help(std::ostream& out) {
  out << "welcomectl asks a running welcomed.\n\nUsage: welcomectl [OPTIONS] VERB\n\n";
  for (const Verb& verb : verbs()) {
    print_row(out, "  " + std::string(verb.words) + " " + std::string(verb.operand), verb.what);
  }
  out << '\n';
  for (const Option& option : common_options()) print_option(out, option);
  out << "\nwelcomectl help VERB names the options of a verb.\n"
         "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 welcomed is away or\n"
         "does not answer.\n";
}

void print_help(const Verb& verb, std::ostream& out) {
  out << "Usage: welcomectl [OPTIONS] " << verb.words << (verb.operand.empty() ? "" : " ")
      << verb.operand << "\n\n";
  print_row(out, "  " + std::string(verb.words), verb.what);
  out << '\n';
  for (const Option& option : special_options()) {
    if (takes(verb, option.name)) print_option(out, option);
  }
  for (const Option& option : common_options()) print_option(out, option);
}

void describe(std::ostream& out) {
  const auto described = [](const Option& o) {
    return json{{"name", o.name}, {"letter", o.letter}, {"value", o.value}, {"what", o.what}};
  };
  json commands = json::array();
  for (const Verb& verb : verbs()) {
    json options = json::array();
    for (const Option& option : special_options()) {
      const auto& its = verb.options;
      if (std::find(its.begin(), its.end(), option.name) != its.end()) {
        options.push_back(described(option));
      }
    }
    commands.push_back({{"name", verb.words},
                        {"operands", verb.operand},
                        {"what", verb.what},
                        {"options", options}});
  }
  json common = json::array();
  for (const Option& option : common_options()) common.push_back(described(option));
  out << json{{"program", "welcomectl"},
              {"what", "asks a running welcomed"},
              {"options", common},
              {"commands", commands}}
             .dump()
      << '\n';
}

}  // namespace welcome::ctl
