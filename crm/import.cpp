// SPDX-License-Identifier: Apache-2.0
#include "crm/import.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "contract/items.h"
#include "contract/json_text.h"
#include "core/identity.h"
#include "crm/csv.h"
#include "crm/import_row.h"
#include "crm/staff.h"

namespace welcome::crm {
namespace {

// In the order in which they are taken: customers before what belongs to them.
enum class FileKind : std::uint8_t { customers, elements, consents, staff };

const std::set<std::string_view> consent_columns{
    "customer",  "purpose",        "state",           "at",        "how",
    "notice_id", "notice_version", "notice_language", "expires_at"};
const std::set<std::string_view> customer_columns{
    "customer", "name",   "greeting",           "pronunciation", "language", "tier",
    "points",   "app_id", "next_reward_points", "segments",      "tags",     "avoid",
    "regions",  "met"};

const std::set<std::string_view> staff_columns{"id", "name", "roles", "stores", "pin_hash"};

struct Columns {
  const std::set<std::string_view>& known;
  std::string_view key;
};

Columns columns_of(FileKind kind) {
  switch (kind) {
    case FileKind::consents:
      return {consent_columns, "customer"};
    case FileKind::staff:
      return {staff_columns, "id"};
    case FileKind::customers:
    case FileKind::elements:
      break;
  }
  return {customer_columns, "customer"};
}

FileKind kind_of(const CsvReader& csv) {
  if (csv.field_there("purpose")) return FileKind::consents;
  return csv.field_there("roles") ? FileKind::staff : FileKind::customers;
}

std::string element(const std::string& list, std::size_t i) {
  return list == "policy" ? list : list + "[" + std::to_string(i) + "]";
}

Result<void> check_columns(const CsvReader& csv, FileKind kind) {
  const auto [known, key] = columns_of(kind);
  for (const std::string& name : csv.header()) {
    if (!known.contains(name) && !(kind == FileKind::customers && is_preference(name))) {
      return fail(ErrorCode::malformed, at_line(1, "unknown column \"" + name + "\""));
    }
  }
  if (!csv.field_there(key)) {
    return fail(ErrorCode::malformed,
                at_line(1, "a column \"" + std::string(key) + "\" is needed"));
  }
  return {};
}

// Campaigns, policy and identities in one object.
Result<json> parse_document(std::string_view text) {
  if (const auto deep = contract::first_too_deep(text); deep != std::string_view::npos) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(deep), '\n');
    return fail(ErrorCode::malformed, at_line(static_cast<std::size_t>(line),
                                              "brackets are nested deeper than 32 levels"));
  }
  try {
    json document = json::parse(text);
    if (!document.is_object()) return fail(ErrorCode::malformed, "this is not a JSON object");
    return document;
  } catch (const json::parse_error& error) {
    const auto at = std::min(error.byte, text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    return fail(ErrorCode::malformed, at_line(static_cast<std::size_t>(line),
                                              "this is not JSON (or its end is missing)"));
  }
}

Error in_file(const std::string& name, const Error& error) {
  return {error.code, name.empty() ? error.message : name + ": " + error.message};
}

}  // namespace

struct Import::File {
  std::string name;
  std::string text;
  FileKind kind = FileKind::customers;
  std::unique_ptr<CsvReader> csv;
  json document;                                              // elements
  std::vector<std::pair<std::string, std::size_t>> elements;  // of which list, and which one
  std::vector<std::pair<std::optional<WallTime>, CsvReader::Place>> order;  // consents, by time
  std::size_t next = 0;                                                     // of elements or order
};

Import::Import(Crm& crm, WallTime now) : crm_(crm), now_(now) {}
Import::~Import() = default;

// ---- read ----

Result<void> Import::add(const std::string& name, std::string text) {
  auto file = std::make_unique<File>();
  file->name = name;
  file->text = std::move(text);
  const auto good = readable(file->text);
  if (!good) return tl::unexpected(in_file(name, good.error()));
  const auto first = good->find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && ((*good)[first] == '{' || (*good)[first] == '[')) {
    auto document = parse_document(*good);
    if (!document) return tl::unexpected(in_file(name, document.error()));
    file->kind = FileKind::elements;
    file->document = std::move(*document);
    file->text.clear();
  } else {
    auto csv = CsvReader::open(*good);
    if (!csv) return tl::unexpected(in_file(name, csv.error()));
    file->kind = kind_of(*csv);
    if (auto ok = check_columns(*csv, file->kind); !ok) {
      return tl::unexpected(in_file(name, ok.error()));
    }
    file->csv = std::make_unique<CsvReader>(std::move(*csv));
  }
  files_.push_back(std::move(file));
  return {};
}

// ---- look at all of it ----

void Import::count_row() {
  ++rows_;
  if (tell_ && rows_ % 1000 == 0) tell_(rows_);
}

Result<void> Import::check(std::function<void(std::int64_t rows)> tell) {
  tell_ = std::move(tell);
  std::stable_sort(files_.begin(), files_.end(),
                   [](const auto& a, const auto& b) { return a->kind < b->kind; });
  for (const auto& file : files_) {
    if (auto ok = check(*file); !ok) return tl::unexpected(in_file(file->name, ok.error()));
  }
  return {};
}

Result<void> Import::check(File& file) {
  switch (file.kind) {
    case FileKind::customers:
      return check_customers(file);
    case FileKind::elements:
      return check_elements(file);
    case FileKind::consents:
      return check_consents(file);
    case FileKind::staff:
      return check_staff(file);
  }
  return {};
}

Result<void> Import::check_staff(File& file) {
  CsvReader& csv = *file.csv;
  const CsvReader::Place begin = csv.place();
  const Staff staff(crm_.database(), crm_.feed());
  std::map<std::string, std::size_t> seen;
  while (true) {
    const auto row = csv.next();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    count_row();
    const std::string id(*csv.field("id"));
    const auto line = staff_from(csv, staff.find(id));
    if (!line) return fail(line.error().code, at_line(csv.line(), line.error().message));
    if (const auto [twin, first] = seen.emplace(id, csv.line()); !first) {
      return fail(ErrorCode::malformed,
                  at_line(csv.line(), "id: this one is in line " + std::to_string(twin->second) +
                                          " already: take one out"));
    }
  }
  csv.go(begin);
  return {};
}

Result<void> Import::check_customers(File& file) {
  CsvReader& csv = *file.csv;
  const CsvReader::Place begin = csv.place();
  while (true) {
    const auto row = csv.next();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    count_row();
    const std::string customer(*csv.field("customer"));
    const auto wrong = [&](const Error& error) {
      return tl::unexpected(Error{error.code, at_line(csv.line(), error.message)});
    };
    if (const auto [twin, first] = coming_.emplace(customer, csv.line()); !first) {
      return wrong({ErrorCode::malformed, "the customer \"" + customer + "\" is in line " +
                                              std::to_string(twin->second) +
                                              " already: take one out"});
    }
    const auto profile = profile_from(csv, crm_.profile(customer));
    if (!profile) return wrong(profile.error());
    const std::string app(csv.field("app_id").value_or(""));
    if (crm_.was_erased(customer)) continue;  // left out when its turn comes
    if (auto ok = crm_.check_customer(*profile, app); !ok) return wrong(ok.error());
    if (const auto regions = csv.field("regions")) {
      if (const auto home = crm_.home_from(*regions); !home) return wrong(home.error());
    }
    if (const auto [other, first] = app_ids_.emplace(app, customer); !first && !app.empty()) {
      return wrong({ErrorCode::refused, "this app_id is that of \"" + other->second + "\" too"});
    }
  }
  csv.go(begin);
  return {};
}

Result<void> Import::must_be_there(const std::string& customer, bool& erased) {
  erased = crm_.was_erased(customer);
  if (erased || coming_.contains(customer) || crm_.app_of(customer)) return {};
  return fail(ErrorCode::not_found, "there is no such customer");
}

Result<void> Import::check_consents(File& file) {
  CsvReader& csv = *file.csv;
  while (true) {
    const CsvReader::Place place = csv.place();
    const auto row = csv.next();
    if (!row) return tl::unexpected(row.error());
    if (!*row) break;
    count_row();
    const auto change = consent_from(csv);
    Result<void> ok;
    bool erased = false;
    if (!change) {
      ok = tl::unexpected(change.error());
    } else {
      ok = must_be_there(change->customer, erased);
    }
    if (!ok) return fail(ok.error().code, at_line(csv.line(), ok.error().message));
    file.order.emplace_back(change->at, place);
  }
  // What came at once counts in the order in which it was said; without a time it is the newest.
  std::stable_sort(file.order.begin(), file.order.end(), [](const auto& a, const auto& b) {
    constexpr WallTime kNewest = WallTime::max();
    return a.first.value_or(kNewest) < b.first.value_or(kNewest);
  });
  return {};
}

Result<void> Import::check_elements(File& file) {
  for (const auto& [name, value] : file.document.items()) {
    const bool list = name == "campaigns" || name == "identities";
    if (name != "policy" && !(list && value.is_array())) {
      return fail(ErrorCode::malformed,
                  "unknown member \"" + name + "\" (known: campaigns, identities, policy)");
    }
    std::map<std::string, std::size_t> seen;
    std::map<std::string, std::string> owners;  // of the devices in this list
    for (std::size_t i = 0; i < (list ? value.size() : 1); ++i) {
      const json& one = list ? value[i] : value;
      Result<void> ok = check_element(crm_, name, one);
      bool erased = false;
      if (ok && name == "identities") ok = must_be_there(one.at("customer"), erased);
      if (ok && name == "identities") ok = crm_.check_device(one);
      if (ok && name == "identities") {
        const std::string customer = one.at("customer");
        const auto item = contract::decode_item(contract::Collection::identities, one.dump());
        const auto [owner, first] =
            owners.emplace(device_of(std::get<IdentityItem>(*item)), customer);
        if (!first && owner->second != customer) {
          ok =
              fail(ErrorCode::refused, "the same device is given to \"" + owner->second + "\" too");
        }
      }
      if (ok && list) {
        const std::string key = one.at(name == "campaigns" ? "campaign" : "identity");
        if (const auto [twin, first] = seen.emplace(key, i); !first) {
          ok = fail(ErrorCode::malformed,
                    "\"" + key + "\" is " + element(name, twin->second) + " already: take one out");
        }
      }
      if (!ok) return fail(ok.error().code, element(name, i) + ": " + ok.error().message);
      file.elements.emplace_back(name, i);
      count_row();
    }
  }
  return {};
}

// ---- take it ----

bool Import::take(std::chrono::steady_clock::time_point until) {
  while (file_ < files_.size()) {
    if (!take_one(*files_[file_])) {
      ++file_;
      continue;
    }
    ++done_;
    if (std::chrono::steady_clock::now() >= until) return true;
  }
  return false;
}

// False: the file is at its end.
bool Import::take_one(File& file) {
  switch (file.kind) {
    case FileKind::customers:
      if (const auto row = file.csv->next(); !row || !*row) return false;
      take_customer(file);
      return true;
    case FileKind::elements:
      if (file.next == file.elements.size()) return false;
      take_element(file);
      return true;
    case FileKind::staff:
      if (const auto row = file.csv->next(); !row || !*row) return false;
      take_staff(file);
      return true;
    case FileKind::consents:
      if (file.next == file.order.size()) return false;
      file.csv->go(file.order[file.next++].second);
      if (const auto row = file.csv->next(); !row || !*row) return false;
      take_consent(file);
      return true;
  }
  return false;
}

void Import::leave_out(const File& file, const std::string& place, const std::string& customer,
                       const std::string& why) {
  left_out_.push_back({file.name, place, customer, why});
}

// What the file does not say stays as it was. Others may have changed something since check().
void Import::take_customer(File& file) {
  const CsvReader& row = *file.csv;
  const std::string customer(*row.field("customer"));
  const std::string place = "line " + std::to_string(row.line());
  if (crm_.was_erased(customer)) return leave_out(file, place, customer, "was erased");
  const auto profile = profile_from(row, crm_.profile(customer));
  const auto done =
      profile ? crm_.put_customer(*profile, std::string(row.field("app_id").value_or("")), now_)
              : Result<void>(tl::unexpected(profile.error()));
  if (!done) return leave_out(file, place, customer, done.error().message);
  if (const auto regions = row.field("regions")) {
    const auto home = crm_.home_from(*regions);
    if (!home) return leave_out(file, place, customer, home.error().message);
    crm_.feed().set_home(customer, *home);
  }
  ++taken_["customers"];
}

void Import::take_consent(File& file) {
  const std::string place = "line " + std::to_string(file.csv->line());
  const auto change = consent_from(*file.csv);
  if (!change) return;  // check() has seen that it is none
  if (crm_.was_erased(change->customer)) {
    return leave_out(file, place, change->customer, "was erased");
  }
  const bool stays_out =
      change->given && !change->at && crm_.opted_out(change->customer, change->purpose);
  const auto done = crm_.set_consent(*change, now_);
  if (!done) return leave_out(file, place, change->customer, done.error().message);
  if (stays_out) {
    return leave_out(
        file, place, change->customer,
        "has withdrawn, and a grant without a time does not bring them back: say `at`");
  }
  ++taken_["consents"];
}

void Import::take_staff(File& file) {
  const CsvReader& row = *file.csv;
  const std::string id(*row.field("id"));
  Staff staff(crm_.database(), crm_.feed());
  const auto line = staff_from(row, staff.find(id));
  const auto done = line ? staff.put(*line, now_) : Result<void>(tl::unexpected(line.error()));
  if (!done) {
    return leave_out(file, "line " + std::to_string(row.line()), id, done.error().message);
  }
  ++taken_["staff"];
}

void Import::take_element(File& file) {
  const auto& [name, i] = file.elements[file.next++];
  const json& one = name == "policy" ? file.document.at(name) : file.document.at(name)[i];
  const std::string customer = name == "identities" ? one.at("customer") : "";
  if (!customer.empty() && crm_.was_erased(customer)) {
    return leave_out(file, element(name, i), customer, "was erased");
  }
  const auto done = put_element(crm_, name, one);
  if (!done) return leave_out(file, element(name, i), customer, done.error().message);
  ++taken_[name];
}

}  // namespace welcome::crm
