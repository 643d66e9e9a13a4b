// SPDX-License-Identifier: Apache-2.0
#pragma once
// When a certificate ends. Any thread.

#include <chrono>
#include <string>

#include "core/result.h"

namespace welcome::mqtt {

// Of the first certificate of a PEM file. Errors: unavailable (no such file), malformed.
Result<std::chrono::sys_seconds> certificate_ends(const std::string& file);

}  // namespace welcome::mqtt
