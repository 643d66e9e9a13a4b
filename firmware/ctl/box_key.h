// SPDX-License-Identifier: Apache-2.0
#pragma once
// Changes the box key (control::BoxKeys), and who can read it: it is a plain file, or one that
// systemd-creds has encrypted for this machine.

#include <string>

#include "core/result.h"
#include "firmware/control/box_keys.h"

namespace welcome::ctl {

struct BoxKeyPlace {
  std::string plain = "/etc/credstore/welcomed.box-key";
  std::string sealed = "/etc/credstore.encrypted/welcomed.box-key";  // "" = there is none
  // What tells systemd to decrypt it.
  std::string drop_in = "/etc/systemd/system/welcomed.service.d/box-key.conf";
};

// The key in use; made if there is none. Errors: malformed (it is no key, and is left alone),
// refused, unavailable.
Result<control::KeyBytes> box_key_or_new(const BoxKeyPlace& place);
// Adds a new random key to the one in use. Errors: refused (it is being changed already, or there
// are two files), not_found, malformed, unavailable.
Result<void> begin_key_change(const BoxKeyPlace& place);
// Leaves the new one alone. Errors as above; refused: there is only one.
Result<void> end_key_change(const BoxKeyPlace& place);
// By which it is encrypted together with the host's own key; else by that alone.
bool has_tpm();
// Encrypts it for this machine, proves that it opens, tells systemd, and destroys the plain one, in
// this order; said again, it goes on where it was stopped. Errors as above; refused: it is sealed.
Result<void> seal_key(const BoxKeyPlace& place);

}  // namespace welcome::ctl
