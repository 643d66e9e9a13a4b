// SPDX-License-Identifier: Apache-2.0
#pragma once
// Accounts of boxes at a Mosquitto broker: lines of its password_file and acl_file, printed or
// written. The rules are packaging/broker/central-box.acl.in; what is the same for all boxes stands
// in central.acl. The broker reads both files again on SIGHUP and cuts off who is no longer in
// them. The account of a box is its address (contract::address_text).

#include <string>

#include "contract/contract.h"
#include "core/result.h"

namespace welcome::crm {

// 192 random bits, as text that can be typed.
std::string new_password();
// As mosquitto_passwd writes it: PBKDF2 with SHA-512 (RFC 8018), a fresh salt.
std::string password_line(const std::string& account, const std::string& password);
std::string acl_lines(const contract::BoxAddress& box);

// DIR/passwords and DIR/acl. Each is replaced as a whole, with its owner and mode. Errors:
// unavailable (names the file), not_found (there is no such file: it is not the folder of a
// broker).
Result<void> put_account(const std::string& dir, const contract::BoxAddress& box,
                         const std::string& password);
Result<void> remove_account(const std::string& dir, const contract::BoxAddress& box);

}  // namespace welcome::crm
