// SPDX-License-Identifier: Apache-2.0
#pragma once
// Secrets, as systemd hands them over: files in $CREDENTIALS_DIRECTORY (systemd.exec(5),
// LoadCredential=). Start-up only: throws std::runtime_error.

#include <optional>
#include <string>

#include "firmware/control/box_keys.h"

namespace welcome::daemon {

// The text of a credential without its last newline; empty when there is none.
std::string read_credential(const std::string& name);

control::BoxKeys read_box_keys();
// What the boxes of a store share, in the same form; nothing where there is none.
std::optional<control::KeyBytes> read_store_key();

}  // namespace welcome::daemon
