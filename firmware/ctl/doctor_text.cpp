// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/doctor_text.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "firmware/control/wrapped.h"
#include "firmware/ctl/print.h"

namespace welcome::ctl {

namespace {

using nlohmann::json;

constexpr std::size_t kIndent = 19;  // behind lamp and light

struct Shown {
  std::string_view lamp, word, colour;
};
constexpr std::array<Shown, 4> kShown{{{"green", "ok", "\033[32m"},
                                       {"yellow", "LOOK", "\033[33m"},
                                       {"red", "WRONG", "\033[31m"},
                                       {"off", "off", "\033[2m"}}};

std::string padded(std::string text, std::size_t columns) {
  text.resize(std::max(columns, text.size() + 1), ' ');
  return text;
}

}  // namespace

std::string doctor_text(const json& findings, bool coloured) {
  std::string out;
  for (const json& finding : findings) {
    const std::string lamp = finding.value("lamp", "");
    const auto* shown =
        std::find_if(kShown.begin(), kShown.end(), [&](const Shown& s) { return s.lamp == lamp; });
    const bool known = shown != kShown.end();
    const std::string word = padded(known ? std::string(shown->word) : lamp, 7);
    out += coloured && known ? std::string(shown->colour) + word + "\033[0m" : word;
    out += padded(for_terminal(finding.value("light", "")), kIndent - 7);
    out += control::wrapped(for_terminal(finding.value("what", "")), kIndent) + "\n";
    if (const std::string to_do = for_terminal(finding.value("to_do", "")); !to_do.empty())
      out += std::string(kIndent, ' ') + control::wrapped("-> " + to_do, kIndent) + "\n";
  }
  return out;
}

std::string camera_text(const json& views) {
  std::string out;
  for (const json& view : views) {
    const std::string name = padded(for_terminal(view.value("camera", "")), 8);
    out += name + control::wrapped(for_terminal(view.value("sees", "")), name.size()) + "\n";
    for (const json& one : view.value("advice", json::array())) {
      out += std::string(name.size(), ' ') +
             control::wrapped("-> " + for_terminal(one.get<std::string>()), name.size()) + "\n";
    }
  }
  return out;
}

bool is_well(const json& findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const json& finding) { return finding.value("lamp", "") == "red"; });
}

}  // namespace welcome::ctl
