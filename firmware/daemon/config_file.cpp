// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/config_file.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <string_view>

#include "firmware/control/config_line.h"

namespace welcome::daemon {

namespace {

using control::comment_at;
using control::kConfigSpace;

std::string trimmed(std::string_view text) { return std::string(control::trimmed(text)); }

// "Aroma #1": as likely a value that is cut as a comment. A comment has a space behind its '#', or
// more than one word.
bool looks_cut(std::string_view comment) {
  return comment.size() > 1 && comment[1] != '#' &&
         kConfigSpace.find(comment[1]) == std::string_view::npos &&
         comment.find_first_of(kConfigSpace) == std::string_view::npos;
}

}  // namespace

void read_config_file(const std::filesystem::path& file, const std::filesystem::path& name,
                      ConfigText& out) {
  std::ifstream in(file);
  if (!in) {
    out.wrong.push_back(name.string() + ": cannot be read; name another with --config");
    return;
  }
  std::string section;
  std::map<std::string, int> seen;  // name → line, in this file
  std::string raw;
  for (int number = 1; std::getline(in, raw); ++number) {
    const std::string text = trimmed(raw);
    const std::size_t comment = comment_at(text);
    const std::string line = trimmed(std::string_view(text).substr(0, comment));
    if (line.empty()) continue;
    const std::string where = name.string() + ":" + std::to_string(number);
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
    if (looks_cut(std::string_view(text).substr(comment))) {
      out.notes.push_back(where + ": " + given.name() + " = " + given.value +
                          " ends before the '#': write a space behind it if it begins a comment");
    }
    out.values.push_back(std::move(given));
  }
}

std::vector<ConfigFile> config_files(const std::filesystem::path& main_file,
                                     const std::filesystem::path& instead) {
  const auto folder = main_file.parent_path() / "conf.d";
  std::vector<std::filesystem::path> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    if (entry.path().extension() == ".conf") names.push_back(entry.path());
  }
  const auto local = folder / kLocalFile;
  if (!instead.empty() && std::find(names.begin(), names.end(), local) == names.end())
    names.push_back(local);
  std::sort(names.begin(), names.end());
  std::vector<ConfigFile> files{{main_file, main_file}};
  for (auto& name : names) {
    const bool other = !instead.empty() && name == local;
    files.push_back({name, other ? instead : name});
  }
  return files;
}

}  // namespace welcome::daemon
