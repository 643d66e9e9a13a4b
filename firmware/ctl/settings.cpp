// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/settings.h"

#include <algorithm>
#include <utility>

#include "firmware/control/value_at.h"

namespace welcome::ctl {

namespace {

using nlohmann::json;

json list(const json& said, std::string_view name) {
  json found = control::value_at(said, name);
  return found.is_array() ? found : json::array();
}

std::vector<std::string> lines(const json& said, std::string_view name) {
  return list(said, name).get<std::vector<std::string>>();
}

}  // namespace

ToldSettings::ToldSettings(const json& said)
    : settings(list(said, "settings")),
      wrong(lines(said, "wrong")),
      missing(lines(said, "missing")),
      notes(lines(said, "notes")) {}

const json* ToldSettings::setting(std::string_view key) const {
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [&](const json& one) { return one.value("key", "") == key; });
  return found == settings.end() ? nullptr : &*found;
}

std::string ToldSettings::value(std::string_view key) const {
  const json* const one = setting(key);
  return one == nullptr ? std::string() : one->value("value", "");
}

Result<ToldSettings> told_settings(const std::string& welcomed, const std::filesystem::path& config,
                                   const std::filesystem::path& instead, Complaints complaints) {
  std::vector<std::string> words{welcomed, "--settings", "--config", config.string()};
  if (!instead.empty()) words.insert(words.end(), {"--instead", instead.string()});
  const auto said = output_of(std::move(words), {}, complaints);
  if (!said) return tl::unexpected(said.error());
  const json all = json::parse(*said, nullptr, false);
  if (!all.is_object()) {
    return fail(ErrorCode::malformed, "update welcomectl and welcomed together");
  }
  return ToldSettings(all);
}

}  // namespace welcome::ctl
