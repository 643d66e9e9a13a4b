// SPDX-License-Identifier: Apache-2.0
#include "core/staff.h"

#include <algorithm>
#include <charconv>

#include "core/enum_names.h"

namespace welcome {

namespace {

constexpr EnumNames<Role, 3> kRoles{
    {{Role::staff, "staff"}, {Role::lead, "lead"}, {Role::technician, "technician"}}};

constexpr std::size_t kSaltDigits = 22;  // 16 bytes in base64 without padding
constexpr std::size_t kHashDigits = 43;  // 32 bytes

// Takes `word` off the front.
bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

std::optional<std::uint32_t> take_number(std::string_view& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || text.starts_with('0')) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take_base64(std::string_view& text, std::size_t digits) {
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  if (text.size() < digits || !std::all_of(text.begin(), text.begin() + digits, is_digit)) {
    return false;
  }
  text.remove_prefix(digits);
  return true;
}

// $argon2id$v=19$m=KIB,t=PASSES,p=1$SALT$HASH
Result<void> check_pin(std::string_view pin) {
  const Error none{ErrorCode::refused, "pin: not argon2id as libsodium writes it"};
  if (!take(pin, "$argon2id$v=19$m=")) return tl::unexpected(none);
  const auto memory = take_number(pin);
  if (!memory || !take(pin, ",t=")) return tl::unexpected(none);
  const auto passes = take_number(pin);
  if (!passes || !take(pin, ",p=1$")) return tl::unexpected(none);
  if (!take_base64(pin, kSaltDigits) || !take(pin, "$") || !take_base64(pin, kHashDigits) ||
      !pin.empty()) {
    return tl::unexpected(none);
  }
  if (*memory > kPinMemoryKiB || *passes > kPinPasses) {
    return fail(ErrorCode::refused, "pin: a check would cost a box more than 64 MiB or 16 passes");
  }
  return {};
}

}  // namespace

std::string_view to_string(Role role) { return enum_name(kRoles, role); }
std::optional<Role> role_from_string(std::string_view text) { return enum_value(kRoles, text); }

std::vector<std::string_view> words_of(RoleSet roles) {
  std::vector<std::string_view> out;
  for (const Role role : kAllRoles) {
    if (roles.has(role)) out.push_back(to_string(role));
  }
  return out;
}

Result<void> validate(const StaffMember& member) {
  if (member.id.empty() || member.id.str().size() > 64) {
    return fail(ErrorCode::refused, "staff: not 1 to 64 bytes");
  }
  if (member.roles.empty()) return fail(ErrorCode::refused, "roles: none");
  return member.pin.empty() ? Result<void>() : check_pin(member.pin);
}

}  // namespace welcome
