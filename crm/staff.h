// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who works where (docs/decisions/0148). Each store's boxes are sent its own staff, and nobody
// else's. A PIN is kept as its argon2id alone.
//
// Inside the caller's Transaction. One thread. Names and PINs are never logged, and no error holds
// one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/staff.h"
#include "core/time.h"
#include "crm/database.h"
#include "crm/feed.h"

namespace welcome::crm {

// A check takes about 20 ms on a PC, some 0.2 to 0.4 s on the small core of an ARM box, and so much
// memory there for as long (docs/crm.md).
inline constexpr std::uint32_t kPinBytes = 16 * 1024 * 1024;
inline constexpr std::uint32_t kPinOps = 3;
inline constexpr std::int64_t kPinDigitsLeast = 4;
inline constexpr std::int64_t kPinDigitsMost = 12;

class Staff {
 public:
  Staff(Database& db, Feed& feed) : db_(db), feed_(feed) {}

  struct Line {
    StaffMember member;  // `pin` is the hash
    Home stores;         // names in the order of the alphabet with commas; nothing: all
    std::string changed_at;
  };
  std::vector<Line> all() const;
  std::optional<Line> find(const std::string& staff) const;
  // Whether they work in this store.
  bool works_in(const std::string& staff, const std::string& store) const;
  std::int64_t with_a_pin(const std::string& store) const;

  // Makes or changes them; `line.changed_at` is not looked at. Errors as of check().
  Result<void> put(const Line& line, WallTime now);
  // malformed, refused: what and where, never a value.
  static Result<void> check(const Line& line);
  // Errors: not_found; refused (by the rules below, and not what it is).
  Result<void> set_pin(const std::string& staff, const std::string& pin, WallTime now);
  // Gone from every box at once. False: there is nobody of that id.
  bool remove(const std::string& staff);

  // How many digits a PIN has at least. A change says nothing of PINs that are there.
  std::int64_t digits() const;
  void set_digits(std::int64_t digits);

  // From NORTH,SOUTH (or with semicolons). `all` and nothing are all.
  static Result<Home> stores_from(std::string_view text);
  static Result<RoleSet> roles_from(std::string_view text);
  // Digits that nobody guesses first: no repetition of a shorter word, none that counts.
  static Result<void> check_pin(std::string_view pin, std::int64_t least);

 private:
  Database& db_;
  Feed& feed_;
};

std::string roles_text(RoleSet roles);

}  // namespace welcome::crm
