// SPDX-License-Identifier: Apache-2.0
#include "crm/staff.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sodium.h>

#include "contract/contract.h"
#include "crm/boxes.h"
#include "crm/regions.h"
#include "crm/setting.h"

namespace welcome::crm {
namespace {

using nlohmann::json;

constexpr std::size_t kStoresOfAMember = 200;

// As it is sent to boxes.
std::string item_of(const StaffMember& member) {
  json item{{"staff", member.id.str()}, {"name", member.name}, {"roles", words_of(member.roles)}};
  if (!member.pin.empty()) item["pin"] = member.pin;
  return item.dump();
}

Staff::Line line_of(const Row& row) {
  Staff::Line out;
  out.member = {StaffId(row.text(0)), row.text(1),
                Staff::roles_from(row.text(2)).value_or(RoleSet()), row.text(4)};
  out.stores = row.text(3);
  out.changed_at = row.text(5);
  return out;
}

// "1212" and "0000" are a shorter word again and again.
bool repeats(std::string_view pin) {
  for (std::size_t period = 1; period <= pin.size() / 2; ++period) {
    if (pin.substr(period) == pin.substr(0, pin.size() - period)) return true;
  }
  return false;
}

// "1234", "4321", "7890".
bool counts(std::string_view pin) {
  for (const int step : {1, 9}) {
    bool all = true;
    for (std::size_t i = 1; i < pin.size(); ++i) {
      all = all && (pin[i - 1] - '0' + step) % 10 == pin[i] - '0';
    }
    if (all) return true;
  }
  return false;
}

Result<std::string> hash_of(const std::string& pin) {
  std::array<char, crypto_pwhash_STRBYTES> out{};
  if (crypto_pwhash_str_alg(out.data(), pin.data(), pin.size(), kPinOps, kPinBytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail(ErrorCode::full, "there is no memory to make a PIN's hash: 16 MiB are needed");
  }
  return std::string(out.data());
}

}  // namespace

std::string roles_text(RoleSet roles) {
  std::string out;
  for (const std::string_view role : words_of(roles)) {
    out.append(out.empty() ? "" : ",").append(role);
  }
  return out;
}

std::vector<Staff::Line> Staff::all() const {
  std::vector<Line> out;
  for (const Row& row :
       db_.query("SELECT staff, name, roles, stores, pin, changed_at FROM staff ORDER BY staff")) {
    out.push_back(line_of(row));
  }
  return out;
}

std::optional<Staff::Line> Staff::find(const std::string& staff) const {
  const Rows rows = db_.query(
      "SELECT staff, name, roles, stores, pin, changed_at FROM staff WHERE staff = $1", {staff});
  if (rows.empty()) return std::nullopt;
  return line_of(rows[0]);
}

bool Staff::works_in(const std::string& staff, const std::string& store) const {
  const auto line = find(staff);
  return line && Regions::holds(line->stores, store);
}

std::int64_t Staff::with_a_pin(const std::string& store) const {
  std::int64_t out = 0;
  for (const Row& row : db_.query("SELECT stores FROM staff WHERE pin <> ''")) {
    if (Regions::holds(row.text(0), store)) ++out;
  }
  return out;
}

Result<void> Staff::check(const Line& line) {
  const StaffMember& member = line.member;
  if (auto ok = contract::check_written(Collection::staff, item_of(member)); !ok) return ok;
  const bool plain = std::none_of(member.name.begin(), member.name.end(),
                                  [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (!plain || member.name.starts_with(' ') || member.name.ends_with(' ')) {
    return fail(ErrorCode::malformed,
                "name: it has a control character in it, or begins or ends with a blank");
  }
  return {};
}

Result<void> Staff::put(const Line& line, WallTime now) {
  if (auto ok = check(line); !ok) return ok;
  const StaffMember& member = line.member;
  const std::string item = item_of(member);
  const auto before = find(member.id.str());
  const bool same = before && item_of(before->member) == item && before->stores == line.stores;
  if (same) return {};
  db_.execute(
      "INSERT INTO staff (staff, name, roles, stores, pin, changed_at) "
      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (staff) DO UPDATE SET name = excluded.name, "
      "roles = excluded.roles, stores = excluded.stores, pin = excluded.pin, "
      "changed_at = excluded.changed_at",
      {member.id.str(), member.name, roles_text(member.roles), line.stores, member.pin,
       contract::to_rfc3339(now)});
  feed_.put_staff(member.id.str(), line.stores, item);
  return {};
}

Result<void> Staff::set_pin(const std::string& staff, const std::string& pin, WallTime now) {
  auto line = find(staff);
  if (!line) return fail(ErrorCode::not_found, "nobody of that id is among the staff");
  if (auto ok = check_pin(pin, digits()); !ok) return ok;
  auto hash = hash_of(pin);
  if (!hash) return tl::unexpected(hash.error());
  line->member.pin = std::move(*hash);
  return put(*line, now);
}

bool Staff::remove(const std::string& staff) {
  if (db_.execute("DELETE FROM staff WHERE staff = $1", {staff}) == 0) return false;
  feed_.remove(Collection::staff, staff);
  return true;
}

std::int64_t Staff::digits() const {
  const std::string digits = setting(db_, "pin_digits");
  return digits.empty() ? kPinDigitsLeast : std::stoll(digits);
}

void Staff::set_digits(std::int64_t digits) {
  set_setting(db_, "pin_digits", std::to_string(digits));
}

Result<Home> Staff::stores_from(std::string_view text) {
  const auto named = Regions::words_in(text);
  if (named.empty() || (named.size() == 1 && named[0] == "all")) return Home();
  if (named.size() > kStoresOfAMember) {
    return fail(ErrorCode::malformed, "stores: more than 200; say all");
  }
  for (const std::string& store : named) {
    if (!Boxes::valid_name(store) || store == "all") {
      return fail(ErrorCode::malformed,
                  "stores: the name of a store is letters, digits, . _ and -, or all of them: all");
    }
  }
  return Regions::joined(named);
}

Result<RoleSet> Staff::roles_from(std::string_view text) {
  RoleSet out;
  for (const std::string& word : Regions::words_in(text)) {
    const auto role = role_from_string(word);
    if (!role) return fail(ErrorCode::malformed, "roles: staff, lead and technician");
    out.add(*role);
  }
  return out.empty() ? out.add(Role::staff) : out;
}

Result<void> Staff::check_pin(std::string_view pin, std::int64_t least) {
  const bool digits =
      std::all_of(pin.begin(), pin.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || std::ssize(pin) < least || std::ssize(pin) > kPinDigitsMost) {
    return fail(ErrorCode::refused, "a PIN is " + std::to_string(least) + " to " +
                                        std::to_string(kPinDigitsMost) + " digits");
  }
  if (repeats(pin) || counts(pin)) {
    return fail(ErrorCode::refused,
                "this PIN repeats itself or counts: it is among the first that somebody tries");
  }
  return {};
}

}  // namespace welcome::crm
