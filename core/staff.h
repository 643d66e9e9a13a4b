// SPDX-License-Identifier: Apache-2.0
#pragma once
// StaffMember: who works in this store, as the CRM says (collection `staff`). A name and what a PIN
// is checked against: never logged.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

class RoleSet {
 public:
  constexpr RoleSet() = default;

  constexpr RoleSet& add(Role role) {
    bits_ = static_cast<std::uint8_t>(bits_ | bit(role));
    return *this;
  }
  constexpr bool has(Role role) const { return (bits_ & bit(role)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(RoleSet, RoleSet) = default;

 private:
  static constexpr std::uint8_t bit(Role role) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(role));
  }
  std::uint8_t bits_ = 0;
};

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
