// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/config_file.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <string_view>

namespace welcome::daemon {

namespace {

constexpr std::string_view kSpace = " \t\r";

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

std::string_view without_comment(std::string_view line) {
  for (auto at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at == 0 || kSpace.find(line[at - 1]) != std::string_view::npos) return line.substr(0, at);
  }
  return line;
}

}  // namespace

void read_config_file(const std::filesystem::path& file, ConfigText& out) {
  std::ifstream in(file);
  if (!in) {
    out.wrong.push_back(file.string() + ": cannot be read; name another with --config");
    return;
  }
  std::string section;
  std::map<std::string, int> seen;  // name → line, in this file
  std::string raw;
  for (int number = 1; std::getline(in, raw); ++number) {
    const std::string line = trimmed(without_comment(raw));
    if (line.empty()) continue;
    const std::string where = file.string() + ":" + std::to_string(number);
    if (line.front() == '[') {
      if (line.back() != ']') {
        out.wrong.push_back(where + ": section without ']'");
        continue;
      }
      section = trimmed(std::string_view(line).substr(1, line.size() - 2));
      out.sections.push_back({section, {}, {}, where});
      continue;
    }
    const auto equals = line.find('=');
    if (equals == std::string::npos) {
      out.wrong.push_back(where + ": '" + line + "' is neither [section] nor key = value");
      continue;
    }
    Given given{section, trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1)), where};
    // [box] store and box.store are the same key.
    if (const auto dot = given.key.rfind('.'); section.empty() && dot != std::string::npos) {
      given.section = given.key.substr(0, dot);
      given.key.erase(0, dot + 1);
    }
    const auto [earlier, first] = seen.emplace(given.name(), number);
    if (!first) {
      out.wrong.push_back(where + ": " + given.name() + " stands in line " +
                          std::to_string(earlier->second) + " already");
      continue;
    }
    out.values.push_back(std::move(given));
  }
}

std::vector<std::filesystem::path> config_files(const std::filesystem::path& main_file) {
  std::vector<std::filesystem::path> files;
  std::error_code none;
  for (const auto& entry :
       std::filesystem::directory_iterator(main_file.parent_path() / "conf.d", none)) {
    if (entry.path().extension() == ".conf") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  files.insert(files.begin(), main_file);
  return files;
}

}  // namespace welcome::daemon
