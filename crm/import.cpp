#include "crm/import.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace welcome::crm {
namespace {

constexpr std::string_view kPreference = "preference.";

std::string at_line(std::size_t line, const std::string& what) {
  return "line " + std::to_string(line) + ": " + what;
}

std::vector<std::string> words(const std::string& text) {
  std::vector<std::string> out;
  std::size_t start = 0;
  while (start <= text.size()) {
    const auto end = std::min(text.find(';', start), text.size());
    std::string word = text.substr(start, end - start);
    const auto first = word.find_first_not_of(' ');
    if (first != std::string::npos) {
      out.push_back(word.substr(first, word.find_last_not_of(' ') - first + 1));
    }
    start = end + 1;
  }
  return out;
}

Result<std::int64_t> integer(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(ErrorCode::malformed, "a whole number was expected");
  }
  return value;
}

std::string field(const CsvRow& row, const std::string& name) {
  const auto found = row.fields.find(name);
  return found == row.fields.end() ? "" : found->second;
}

bool is_preference(const std::string& column) {
  if (!column.starts_with(kPreference)) return false;
  const auto dot = column.find('.', kPreference.size());
  if (dot == std::string::npos) return true;
  const std::string about = column.substr(dot);
  return about == ".confirmed" || about == ".last_confirmed";
}

Result<void> known_columns(const Csv& csv, const std::set<std::string>& known) {
  for (const std::string& name : csv.header) {
    if (!known.contains(name) && !is_preference(name)) {
      return fail(ErrorCode::malformed, "line 1: unknown column \"" + name + "\"");
    }
  }
  return {};
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

// preference.KEY, and what the CRM knows of it: preference.KEY.confirmed (how often) and
// preference.KEY.last_confirmed (when).
Result<void> set_preference(json& profile, const std::string& column, const std::string& value) {
  const auto dot = column.find('.');
  json& preference = preference_of(profile, column.substr(0, dot));
  if (dot == std::string::npos) {
    preference["value"] = value;
    return {};
  }
  if (preference.at("value") == "") {
    return fail(ErrorCode::malformed, column + " without a value in the column before it");
  }
  if (column.substr(dot) == ".last_confirmed") {
    const auto at = contract::from_rfc3339(value);
    if (!at) return fail(ErrorCode::malformed, column + " is not a time like 2026-05-04T08:15:30Z");
    preference["last_confirmed"] = contract::to_rfc3339(*at);
    return {};
  }
  const auto times = integer(value);
  if (!times) return tl::unexpected(times.error());
  preference["confirmed"] = *times;
  // Each confirmation halves the doubt, here as at the desk.
  preference["confidence"] = 1.0 - std::exp2(-1.0 - static_cast<double>(*times));
  return {};
}

// What the file does not say stays as it was.
Result<void> import_customer(Crm& crm, const CsvRow& row, WallTime now) {
  const std::string customer = field(row, "customer");
  json profile = crm.profile(customer).value_or(json::object());
  profile["customer"] = customer;
  for (const auto& [name, value] : row.fields) {
    if (value.empty() || name == "customer" || name == "app_id") continue;
    if (name == "points" || name == "next_reward_points") {
      const auto number = integer(value);
      if (!number) return tl::unexpected(number.error());
      profile[name] = *number;
    } else if (name == "segments" || name == "tags" || name == "avoid") {
      profile[name] = words(value);
    } else if (name.starts_with(kPreference)) {
      auto set = set_preference(profile, name.substr(kPreference.size()), value);
      if (!set) return set;
    } else {
      profile[name] = value;
    }
  }
  return crm.put_customer(profile, field(row, "app_id"), now);
}

Result<std::optional<WallTime>> time(const CsvRow& row, const std::string& name) {
  const std::string text = field(row, name);
  if (text.empty()) return std::optional<WallTime>();
  const auto at = contract::from_rfc3339(text);
  if (!at) return fail(ErrorCode::malformed, name + " is not a time like 2026-05-04T08:15:30Z");
  return at;
}

Result<void> import_consent(Crm& crm, const CsvRow& row, WallTime now) {
  ConsentChange change;
  change.customer = field(row, "customer");
  const auto purpose = purpose_from_string(field(row, "purpose"));
  if (!purpose) return fail(ErrorCode::malformed, "unknown purpose");
  change.purpose = *purpose;
  const std::string state = field(row, "state");
  if (state != "given" && state != "withdrawn") {
    return fail(ErrorCode::malformed, "state must be given or withdrawn");
  }
  change.given = state == "given";
  const auto at = time(row, "at");
  if (!at) return tl::unexpected(at.error());
  const auto expires = time(row, "expires_at");
  if (!expires) return tl::unexpected(expires.error());
  // Without a time it means "now", and saying again what already is so means nothing.
  if (!*at && crm.given(change.customer, now).has(*purpose) == change.given) return {};
  change.at = at->value_or(now);
  change.expires_at = *expires;
  change.how = field(row, "how").empty() ? "crm" : field(row, "how");
  if (!field(row, "notice_id").empty()) {
    change.notice = ConsentNotice{field(row, "notice_id"), field(row, "notice_version"),
                                  field(row, "notice_language")};
  }
  const auto done = crm.set_consent(change);
  if (!done) return tl::unexpected(done.error());
  return {};
}

Result<Imported> import_csv(Crm& crm, std::string_view text, WallTime now) {
  const auto csv = parse_csv(text);
  if (!csv) return tl::unexpected(csv.error());
  const std::set<std::string> columns(csv->header.begin(), csv->header.end());
  if (!columns.contains("customer")) {
    return fail(ErrorCode::malformed, "line 1: a column \"customer\" is needed");
  }
  const bool consents = columns.contains("purpose");
  const std::set<std::string> known =
      consents
          ? std::set<std::string>{"customer",  "purpose",   "state",          "at",
                                  "how",       "notice_id", "notice_version", "notice_language",
                                  "expires_at"}
          : std::set<std::string>{"customer", "name", "greeting", "pronunciation",
                                  "language", "tier", "points",   "next_reward_points",
                                  "segments", "tags", "avoid",    "app_id"};
  if (auto ok = known_columns(*csv, known); !ok) return tl::unexpected(ok.error());
  for (const CsvRow& row : csv->rows) {
    const auto done = consents ? import_consent(crm, row, now) : import_customer(crm, row, now);
    if (!done) return fail(done.error().code, at_line(row.line, done.error().message));
  }
  return Imported{{consents ? "consents" : "customers", static_cast<int>(csv->rows.size())}};
}

Result<Imported> import_json(Crm& crm, std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return fail(ErrorCode::malformed, "this is not a JSON object");
  Imported out;
  for (const auto& [name, value] : document.items()) {
    if (name == "policy") {
      if (auto ok = crm.put_policy(value); !ok)
        return fail(ok.error().code, "policy: " + ok.error().message);
      out[name] = 1;
    } else if ((name == "campaigns" || name == "identities") && value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        const auto done =
            name == "campaigns" ? crm.put_campaign(value[i]) : crm.put_identity(value[i]);
        if (!done) {
          return fail(done.error().code,
                      name + "[" + std::to_string(i) + "]: " + done.error().message);
        }
        ++out[name];
      }
    } else {
      return fail(ErrorCode::malformed,
                  "unknown member \"" + name + "\" (known: campaigns, identities, policy)");
    }
  }
  return out;
}

}  // namespace

Result<Csv> parse_csv(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Csv csv;
  std::vector<std::string> cells(1);
  std::size_t line = 1;
  std::size_t row_line = 1;
  bool quoted = false;
  bool closed = false;  // after the closing quote of a cell
  const auto end_row = [&]() -> Result<void> {
    const bool empty = cells.size() == 1 && cells[0].empty();
    if (!empty && csv.header.empty()) {
      csv.header = cells;
    } else if (!empty) {
      if (cells.size() != csv.header.size()) {
        return fail(ErrorCode::malformed, at_line(row_line, std::to_string(cells.size()) +
                                                                " cells where the header has " +
                                                                std::to_string(csv.header.size())));
      }
      CsvRow row{row_line, {}};
      for (std::size_t i = 0; i < cells.size(); ++i) row.fields[csv.header[i]] = cells[i];
      csv.rows.push_back(std::move(row));
    }
    cells.assign(1, "");
    closed = false;
    row_line = line;
    return {};
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"') {
        cells.back() += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        cells.back() += '"';
        ++i;
      } else {
        quoted = false;
        closed = true;
      }
    } else if (c == '"' && cells.back().empty() && !closed) {
      quoted = true;
    } else if (c == ',') {
      cells.emplace_back();
      closed = false;
    } else if (c == '\n') {
      if (auto ok = end_row(); !ok) return tl::unexpected(ok.error());
    } else if (c != '\r') {
      if (closed || c == '"') {
        return fail(ErrorCode::malformed, at_line(line, "a quote in the middle of a cell"));
      }
      cells.back() += c;
    }
  }
  if (quoted) return fail(ErrorCode::malformed, at_line(row_line, "a quote is not closed"));
  if (auto ok = end_row(); !ok) return tl::unexpected(ok.error());
  if (csv.header.empty()) return fail(ErrorCode::malformed, "the file is empty");
  return csv;
}

Result<Imported> import_text(Crm& crm, std::string_view text, bool csv, WallTime now) {
  return csv ? import_csv(crm, text, now) : import_json(crm, text);
}

}  // namespace welcome::crm
