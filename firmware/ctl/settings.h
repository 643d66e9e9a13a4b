// SPDX-License-Identifier: Apache-2.0
#pragma once
// What `welcomed --settings` says: every setting with where it comes from, and all that is wrong. A
// value.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "firmware/ctl/process.h"

namespace welcome::ctl {

struct ToldSettings {
  // Of its answer; what is not there is empty.
  explicit ToldSettings(const nlohmann::json& said);

  nlohmann::json settings;  // [{key, value, default, where, reloads}]
  std::vector<std::string> wrong, missing, notes;

  // Null: there is no such key.
  const nlohmann::json* setting(std::string_view key) const;
  // Empty: there is no such key, or nothing is said.
  std::string value(std::string_view key) const;
};

// `instead`: read in the place of 90-local.conf. Errors: not_found, refused (it failed), malformed
// (it is another version's).
Result<ToldSettings> told_settings(const std::string& welcomed, const std::filesystem::path& config,
                                   const std::filesystem::path& instead = {},
                                   Complaints complaints = Complaints::shown);

}  // namespace welcome::ctl
