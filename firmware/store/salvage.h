// SPDX-License-Identifier: Apache-2.0
#pragma once
// Salvage: brings over from a damaged database what can still be read and what the CRM cannot give
// again. The replica is not among it: consents must come fresh. Internal to firmware/store.

#include <cstddef>
#include <string>

namespace welcome::store {

class Context;

// Returns the rows brought over. A damaged table ends where its damage begins; never throws.
std::size_t salvage(Context& to, const std::string& damaged_file, const std::string& vfs);

}  // namespace welcome::store
