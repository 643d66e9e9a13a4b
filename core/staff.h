// SPDX-License-Identifier: Apache-2.0
#pragma once
// StaffMember: who works in this store, as the CRM says (collection `staff`). A name and what a PIN
// is checked against: never logged.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/enum_set.h"
#include "core/ids.h"
#include "core/result.h"

namespace welcome {

enum class Role : std::uint8_t {
  staff,       // serves customers
  lead,        // and runs the shop
  technician,  // looks after the box
};

inline constexpr std::array kAllRoles{Role::staff, Role::lead, Role::technician};

std::string_view to_string(Role role);
std::optional<Role> role_from_string(std::string_view text);

using RoleSet = EnumSet<Role>;

// In the order of kAllRoles, as the contract says them.
std::vector<std::string_view> words_of(RoleSet roles);

struct StaffMember {
  StaffId id;        // may be a level of a topic
  std::string name;  // as colleagues call them
  RoleSet roles;
  // argon2id, as libsodium's crypto_pwhash_str() writes it. Empty: they cannot sign in yet.
  std::string pin;
};

// What one check of a PIN may cost a box: more is refused.
inline constexpr std::uint32_t kPinMemoryKiB = 64 * 1024;
inline constexpr std::uint32_t kPinPasses = 16;

// Refuses what no box can use, and says what: `refused`, never a value.
Result<void> validate(const StaffMember& member);

}  // namespace welcome
