// SPDX-License-Identifier: Apache-2.0
// welcomectl: the technician's tool. It asks a running welcomed over its control socket; it can
// open neither the database nor the camera. verbs.cpp has what it can do.

#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "core/version.h"
#include "firmware/control/commands.h"
#include "firmware/control/metrics.h"
#include "firmware/ctl/command_line.h"

namespace {

using namespace welcome::ctl;

// What stands on the command line, everybody on this machine can read while it runs.
void hide_secret(const Typed& typed, int argc, char** argv) {
  if (typed.verb == nullptr || typed.verb->words != kProvision) return;
  for (int i = 1; i < argc; ++i) {
    if (typed.call.operand == argv[i]) std::memset(argv[i], '*', std::strlen(argv[i]));
  }
}

int run(int argc, char** argv) {
  const std::vector<std::string> words{argv, argv + argc};
  // For docs/control.md; nobody types it.
  if (words.size() == 2 && words[1] == "--describe-commands") {
    std::cout << welcome::control::markdown_reference();
    return kDone;
  }
  // For docs/metrics.md.
  if (words.size() == 2 && words[1] == "--describe-metrics") {
    std::cout << welcome::control::markdown_metrics();
    return kDone;
  }
  // For the manual and the shell's completion.
  if (words.size() == 2 && words[1] == "--describe-verbs") {
    describe(std::cout);
    return kDone;
  }
  const Typed typed = read_words(words);
  hide_secret(typed, argc, argv);
  if (!typed.wrong.empty()) {
    std::cerr << "welcomectl: " << typed.wrong << (typed.wrong.ends_with('?') ? "" : ";")
              << " see welcomectl --help\n";
    return kUsage;
  }
  if (typed.call.has("version")) {
    std::cout << "welcomectl " << welcome::kVersion << '\n';
    return kDone;
  }
  if (typed.call.has("help")) {
    typed.verb == nullptr ? print_help(std::cout) : print_help(*typed.verb, std::cout);
    return kDone;
  }
  return typed.verb->run(*typed.verb, typed.call);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "welcomectl: " << e.what() << '\n';
    return kRefused;
  }
}
