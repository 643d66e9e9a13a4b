// SPDX-License-Identifier: Apache-2.0
#include "crm/import_row.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "contract/items.h"

namespace welcome::crm {
namespace {

constexpr std::string_view kPreference = "preference.";

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::size_t start = 0;
  while (start <= text.size()) {
    const auto end = std::min(text.find(';', start), text.size());
    const std::string_view word = text.substr(start, end - start);
    const auto first = word.find_first_not_of(' ');
    if (first != std::string_view::npos) {
      out.emplace_back(word.substr(first, word.find_last_not_of(' ') - first + 1));
    }
    start = end + 1;
  }
  return out;
}

Result<std::int64_t> integer(std::string_view column, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(ErrorCode::malformed, std::string(column) + ": a whole number was expected");
  }
  return value;
}

Result<WallTime> time(std::string_view column, std::string_view text) {
  const auto at = contract::from_rfc3339(text);
  if (!at) {
    return fail(ErrorCode::malformed,
                std::string(column) + " is not a time like 2026-05-04T08:15:30Z");
  }
  return *at;
}

json& preference_of(json& profile, const std::string& key) {
  json& preferences = profile["preferences"];
  if (!preferences.is_array()) preferences = json::array();
  const auto found = std::find_if(preferences.begin(), preferences.end(),
                                  [&](const json& one) { return one.at("key") == key; });
  if (found != preferences.end()) return *found;
  preferences.push_back({{"key", key}, {"value", ""}, {"confidence", 0.5}, {"confirmed", 0}});
  return preferences.back();
}

void forget_preference(json& profile, const std::string& key) {
  const auto preferences = profile.find("preferences");
  if (preferences == profile.end() || !preferences->is_array()) return;
  preferences->erase(std::remove_if(preferences->begin(), preferences->end(),
                                    [&](const json& one) { return one.at("key") == key; }),
                     preferences->end());
}

// preference.KEY, and what the CRM knows of it: preference.KEY.confirmed (how often) and
// preference.KEY.last_confirmed (when).
Result<void> set_preference(json& profile, std::string_view column, std::string_view value) {
  const auto dot = column.find('.');
  const std::string key(column.substr(0, dot));
  const std::string_view about = dot == std::string_view::npos ? "" : column.substr(dot);
  if (value.empty()) {
    if (about.empty()) forget_preference(profile, key);
    return {};  // an empty cell about a preference says nothing
  }
  json& preference = preference_of(profile, key);
  if (about.empty()) {
    preference["value"] = value;
    return {};
  }
  if (preference.at("value") == "") {
    return fail(ErrorCode::malformed,
                std::string(column) + " without a value in the column before it");
  }
  if (about == ".last_confirmed") {
    const auto at = time(column, value);
    if (!at) return tl::unexpected(at.error());
    preference["last_confirmed"] = contract::to_rfc3339(*at);
    return {};
  }
  const auto times = integer(column, value);
  if (!times) return tl::unexpected(times.error());
  preference["confirmed"] = *times;
  // Each confirmation halves the doubt, here as at the desk.
  preference["confidence"] = 1.0 - std::exp2(-1.0 - static_cast<double>(*times));
  return {};
}

Result<void> set_member(json& profile, const std::string& column, const std::string& value) {
  if (column.starts_with(kPreference)) {
    return set_preference(profile, std::string_view(column).substr(kPreference.size()), value);
  }
  if (value.empty()) {
    profile.erase(column);
  } else if (column == "points" || column == "next_reward_points") {
    const auto number = integer(column, value);
    if (!number) return tl::unexpected(number.error());
    profile[column] = *number;
  } else if (column == "segments" || column == "tags" || column == "avoid") {
    profile[column] = words(value);
  } else if (column == "language") {
    profile[column] = contract::language_tag(value);
  } else {
    profile[column] = value;
  }
  return {};
}

std::string text(const CsvReader& row, std::string_view column) {
  return std::string(row.field(column).value_or(""));
}

Result<std::optional<WallTime>> maybe_time(const CsvReader& row, std::string_view column) {
  const auto cell = row.field(column);
  if (!cell || cell->empty()) return std::optional<WallTime>();
  const auto at = time(column, *cell);
  if (!at) return tl::unexpected(at.error());
  return std::optional<WallTime>(*at);
}

}  // namespace

bool is_preference(std::string_view column) {
  if (!column.starts_with(kPreference)) return false;
  const auto dot = column.find('.', kPreference.size());
  if (dot == std::string_view::npos) return true;
  const std::string_view about = column.substr(dot);
  return about == ".confirmed" || about == ".last_confirmed";
}

Result<json> profile_from(const CsvReader& row, const std::optional<json>& known) {
  json profile = known.value_or(json::object());
  for (std::size_t i = 0; i < row.header().size(); ++i) {
    const std::string& column = row.header()[i];
    if (column == "app_id") continue;
    if (auto set = set_member(profile, column, row.cells()[i]); !set) {
      return tl::unexpected(set.error());
    }
  }
  return profile;
}

Result<ConsentChange> consent_from(const CsvReader& row) {
  ConsentChange change;
  change.customer = text(row, "customer");
  const auto purpose = purpose_from_string(text(row, "purpose"));
  if (!purpose) return fail(ErrorCode::malformed, "unknown purpose");
  change.purpose = *purpose;
  const std::string state = text(row, "state");
  if (state != "given" && state != "withdrawn") {
    return fail(ErrorCode::malformed, "state must be given or withdrawn");
  }
  change.given = state == "given";
  const auto at = maybe_time(row, "at");
  if (!at) return tl::unexpected(at.error());
  change.at = *at;
  const auto expires = maybe_time(row, "expires_at");
  if (!expires) return tl::unexpected(expires.error());
  change.expires_at = *expires;
  change.how = text(row, "how").empty() ? "crm" : text(row, "how");
  if (change.how != "app" && change.how != "desk" && change.how != "crm") {
    return fail(ErrorCode::malformed, "how must be app, desk or crm");
  }
  if (!text(row, "notice_id").empty()) {
    change.notice = ConsentNotice{text(row, "notice_id"), text(row, "notice_version"),
                                  contract::language_tag(text(row, "notice_language"))};
    if (change.notice->version.empty()) {
      return fail(ErrorCode::malformed, "notice_id without notice_version");
    }
  }
  return change;
}

Result<Staff::Line> staff_from(const CsvReader& row, const std::optional<Staff::Line>& known) {
  Staff::Line line = known.value_or(Staff::Line());
  line.member.id = StaffId(text(row, "id"));
  if (!contract::valid_level(line.member.id.str())) {
    return fail(ErrorCode::malformed, "id: 1 to 64 bytes without / + # $");
  }
  if (row.field_there("name")) line.member.name = text(row, "name");
  if (row.field_there("roles")) {
    const auto roles = Staff::roles_from(text(row, "roles"));
    if (!roles) return tl::unexpected(roles.error());
    line.member.roles = *roles;
  }
  if (row.field_there("stores")) {
    if (text(row, "stores").empty()) {
      return fail(ErrorCode::malformed, "stores: which ones, or all");
    }
    const auto stores = Staff::stores_from(text(row, "stores"));
    if (!stores) return tl::unexpected(stores.error());
    line.stores = *stores;
  } else if (!known) {
    return fail(ErrorCode::malformed, "stores: a column that says where they work is needed");
  }
  // An empty cell leaves the PIN that they have.
  if (const std::string hash = text(row, "pin_hash"); !hash.empty()) line.member.pin = hash;
  if (const auto good = validate(line.member); !good) {
    const std::string& why = good.error().message;
    return fail(ErrorCode::malformed, why.starts_with("pin:") ? "pin_hash" + why.substr(3) : why);
  }
  if (const auto good = Staff::check(line); !good) {
    return fail(ErrorCode::malformed, good.error().message);
  }
  return line;
}

Result<void> check_element(Crm& crm, const std::string& list, const json& value) {
  if (list == "identities") return crm.check_identity(value);
  return contract::check_written(list == "campaigns" ? Collection::campaigns : Collection::policy,
                                 value.dump());
}

Result<void> put_element(Crm& crm, const std::string& list, const json& value) {
  if (list == "identities") return crm.put_identity(value);
  return list == "campaigns" ? crm.put_campaign(value) : crm.put_policy(value);
}

}  // namespace welcome::crm
