// SPDX-License-Identifier: Apache-2.0
#pragma once
// Accounts at a Mosquitto broker: lines of its password_file and acl_file, in DIR/passwords and
// DIR/acl. The broker reads both again on SIGHUP and cuts off who is no longer in them. Each file
// is replaced as a whole, with its owner and mode; one program changes them at a time. Errors:
// unavailable (names the file), not_found (there is no such file: it is not the folder of a
// broker).

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace welcome::provision {

// 192 random bits, as text that can be typed.
std::string new_password();
// As mosquitto_passwd writes it: PBKDF2 with SHA-512 (RFC 8018), a fresh salt.
std::string password_line(const std::string& account, const std::string& password);

// `rules`: the account's lines of the acl_file, `user …` first. An account that is there already
// gets a new password and these rules.
Result<void> put_account(const std::string& dir, const std::string& account,
                         const std::string& rules, const std::string& password);
// As that, with what stands behind the name in password_line(), which the account's owner has made.
Result<void> put_account_hash(const std::string& dir, const std::string& account,
                              const std::string& rules, const std::string& hash);
Result<void> remove_account(const std::string& dir, const std::string& account);
// The names in the password_file.
Result<std::vector<std::string>> accounts(const std::string& dir);

// Of tablets and boxes at the floor's broker: a topic level without blanks, and so no name that a
// rule could mean otherwise.
bool valid_account(const std::string& name);

// A box of the store: what packaging/broker/floor-box.acl.in has for it.
std::string box_rules(const std::string& box);

// Tablets of the staff (packaging/broker/floor.acl has the rules of all): accounts with a line in
// the acl_file that says since when.
struct TabletAccount {
  std::string name;
  std::string since;  // as it was written
};
std::string tablet_rules(const TabletAccount& tablet);
Result<std::vector<TabletAccount>> tablets(const std::string& dir);

}  // namespace welcome::provision
