// SPDX-License-Identifier: Apache-2.0
#pragma once
// Changes the file of the box key (control::BoxKeys).

#include <string>

#include "core/result.h"

namespace welcome::ctl {

// Writes a new random key beside the one in use. Errors: refused (it is being changed already),
// not_found, malformed, unavailable.
Result<void> begin_key_change(const std::string& file);
// Leaves the new one alone. Errors as above; refused: there is only one.
Result<void> end_key_change(const std::string& file);

}  // namespace welcome::ctl
