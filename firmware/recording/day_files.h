// SPDX-License-Identifier: Apache-2.0
#pragma once
// The files of recorded days: "2026-11-21-7.jsonl", the seventh start of the box on that day. One
// thread.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace welcome::recording {

class DayFiles {
 public:
  explicit DayFiles(std::filesystem::path dir) : dir_(std::move(dir)) {}

  static std::string day_of(const std::string& name) { return name.substr(0, 10); }

  // For the box's own account alone, as the folder is. Does not make the file.
  std::filesystem::path path(const std::string& name) const;
  void make_folder() const;
  // Names, oldest first.
  std::vector<std::string> names() const;
  // The files whose names begin like this, oldest first.
  std::vector<std::filesystem::path> starting_with(std::string_view prefix) const;
  void remove(const std::string& name) const;

 private:
  std::filesystem::path dir_;
};

}  // namespace welcome::recording
