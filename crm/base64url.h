// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes as base64url without padding (RFC 4648, 5): what stands in an address, and what browsers
// say.

#include <optional>
#include <string>
#include <string_view>

namespace welcome::crm {

std::string to_base64url(std::string_view bytes);
// Nothing: that is not how these bytes would be written.
std::optional<std::string> from_base64url(std::string_view text);

}  // namespace welcome::crm
