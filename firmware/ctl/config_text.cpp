// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/config_text.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "firmware/control/config_line.h"

namespace welcome::ctl {

namespace {

using control::comment_at;
using control::trimmed;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

// Where things are in a file: -1 where they are not.
struct Found {
  std::ptrdiff_t header = -1;  // of the section, the last of them
  std::ptrdiff_t last = -1;    // line of that section that says something
  std::ptrdiff_t key = -1;
};

Found find(const std::vector<std::string>& lines, const KeyName& name) {
  Found found;
  std::string section;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto line = trimmed(std::string_view(lines[i]).substr(0, comment_at(lines[i])));
    const auto here = static_cast<std::ptrdiff_t>(i);
    if (line.size() > 1 && line.front() == '[' && line.back() == ']') {
      section = trimmed(line.substr(1, line.size() - 2));
      if (section == name.section) found.header = found.last = here;
      continue;
    }
    if (section == name.section && !trimmed(lines[i]).empty()) found.last = here;
    const auto key = trimmed(line.substr(0, line.find('=')));
    if (line.find('=') == std::string_view::npos) continue;
    // Before the first section box.store is [box] store.
    if (section.empty() ? key == name.section + "." + name.key
                        : section == name.section && key == name.key)
      found.key = here;
  }
  return found;
}

bool says_nothing(const std::vector<std::string>& lines, const Found& found) {
  return found.header >= 0 && found.last == found.header &&
         trimmed(lines[static_cast<std::size_t>(found.header)]).back() == ']';
}

}  // namespace

std::optional<KeyName> key_name(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == name.size()) return std::nullopt;
  if (name.find_first_of(" \t\r\n[]=#") != std::string_view::npos) return std::nullopt;
  return KeyName{std::string(name.substr(0, dot)), std::string(name.substr(dot + 1))};
}

std::string with_value(const std::string& text, const KeyName& name, const std::string& value) {
  auto lines = lines_of(text);
  const Found found = find(lines, name);
  if (found.key >= 0) {
    std::string& line = lines[static_cast<std::size_t>(found.key)];
    const auto comment = comment_at(line);
    const std::string left = line.substr(0, line.find('=') + 1);
    line = left + " " + value + (comment < line.size() ? "  " + line.substr(comment) : "");
    return text_of(lines);
  }
  const std::string fresh = name.key + " = " + value;
  if (found.header >= 0) {
    lines.insert(lines.begin() + found.last + 1, fresh);
    return text_of(lines);
  }
  if (!lines.empty() && !trimmed(lines.back()).empty()) lines.emplace_back();
  lines.push_back("[" + name.section + "]");
  lines.push_back(fresh);
  return text_of(lines);
}

std::optional<std::string> without_value(const std::string& text, const KeyName& name) {
  auto lines = lines_of(text);
  const Found found = find(lines, name);
  if (found.key < 0) return std::nullopt;
  lines.erase(lines.begin() + found.key);
  if (const Found left = find(lines, name); says_nothing(lines, left))
    lines.erase(lines.begin() + left.header);
  while (!lines.empty() && trimmed(lines.back()).empty()) lines.pop_back();
  return text_of(lines);
}

bool can_be_said(std::string_view value) {
  return value.find_first_of("\n\r") == std::string_view::npos && trimmed(value) == value &&
         comment_at(value) == value.size();
}

}  // namespace welcome::ctl
