// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/day_files.h"

#include <algorithm>
#include <tuple>

namespace welcome::recording {

namespace fs = std::filesystem;

namespace {

constexpr const char* kSuffix = ".jsonl";

}  // namespace

fs::path DayFiles::path(const std::string& name) const { return dir_ / (name + kSuffix); }

void DayFiles::make_folder() const {
  std::error_code failed;
  fs::create_directories(dir_, failed);
  fs::permissions(dir_, fs::perms::owner_all, failed);
}

std::vector<std::string> DayFiles::names() const {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(dir_, none)) {
    if (entry.path().extension() == kSuffix) names.push_back(entry.path().stem().string());
  }
  // "…-9" before "…-10".
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::make_tuple(day_of(a), a.size(), a) < std::make_tuple(day_of(b), b.size(), b);
  });
  return names;
}

std::vector<fs::path> DayFiles::starting_with(std::string_view prefix) const {
  std::vector<fs::path> found;
  for (const std::string& name : names()) {
    if (name.starts_with(prefix)) found.push_back(path(name));
  }
  return found;
}

void DayFiles::remove(const std::string& name) const {
  std::error_code failed;
  fs::remove(path(name), failed);
}

}  // namespace welcome::recording
