// SPDX-License-Identifier: Apache-2.0
// welcome-eval: judge a site, a model or a change by numbers.

#include <array>
#include <exception>
#include <iostream>
#include <vector>

#include "core/version.h"
#include "eval/command.h"

namespace welcome::eval {
namespace {

constexpr std::array kCommands{
    Command{"adverts", "adverts CAPTURE", "every advert of a capture and the frames in it",
            adverts},
    Command{"ad", "ad < HEX_LINES", "decode AD payloads, one in hex per line", ad},
    Command{"zones", "zones --ranging FILE.csv --boxes FILE.csv [--fast-memory MS]",
            "where customers are, from what several boxes heard", zones},
    Command{"copies", "copies CAPTURE...",
            "how often a device of a capture is taken for a copy of itself", copies},
    Command{"verify", kVerifyUsage, "similarity of each pair of pictures (imageA imageB per line)",
            verify},
    Command{"detect", kDetectUsage, "the faces of each picture", detect},
    Command{"identify", kIdentifyUsage, "who of the gallery is on each probe, or nobody", identify},
    Command{"groups", kGroupsUsage,
            "error by group of people (picture TAB person TAB group per line)", groups},
    Command{"liveness", kLivenessUsage, "a person, or a picture of one", liveness},
    Command{"quality", kQualityUsage, "would enrolment take this face, and if not, why", quality},
    Command{"clip", kClipUsage, "tracks and decisions over a recording", clip},
};

int print_help(std::ostream& out) {
  out << "usage: welcome-eval COMMAND [ARGUMENTS]\n\n";
  for (const Command& command : kCommands) {
    out << "  welcome-eval " << command.usage << "\n      " << command.what << "\n";
  }
  return 2;
}

}  // namespace

int usage_error(std::string_view usage) {
  std::cerr << "usage: welcome-eval " << usage << "\n";
  return 2;
}

}  // namespace welcome::eval

int main(int argc, char** argv) {
  using namespace welcome::eval;
  std::ios::sync_with_stdio(false);
  const std::vector<std::string_view> all(argv + 1, argv + argc);
  if (all.empty()) return print_help(std::cerr);
  if (all[0] == "help" || all[0] == "--help") {
    print_help(std::cout);
    return 0;
  }
  if (all[0] == "--version") {
    std::cout << "welcome-eval " << welcome::kVersion << "\n";
    return 0;
  }
  for (const Command& command : kCommands) {
    if (command.name != all[0]) continue;
    try {
      return command.run(Arguments(all).subspan(1));
    } catch (const std::exception& e) {
      std::cerr << "welcome-eval " << command.name << ": " << e.what() << "\n";
      return 1;
    }
  }
  std::cerr << "welcome-eval: no command \"" << all[0] << "\"\n";
  return print_help(std::cerr);
}
