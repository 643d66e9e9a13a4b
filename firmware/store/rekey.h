// SPDX-License-Identifier: Apache-2.0
#pragma once
// Another box key for a file that is in use. All that was sealed stays readable, with the new key
// alone. Internal to firmware/store.
//
// The key that customers are hashed with stays: who was erased is known by that hash and by nothing
// else. It is kept sealed. Customers' own keys stay, wrapped anew.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/store/context.h"
#include "firmware/store/store.h"

namespace welcome::store {

struct FormerKey {
  std::int64_t until = 0;  // the last entry of the audit log that it signed
  std::string public_key;  // 32 bytes
  std::string vouched;     // what it says of the one after it
};

// In the order in which they were in use. Throws DbError.
std::vector<FormerKey> former_keys(Context& context);

// Seals the file with `next`, in one transaction: before its commit the old key opens it, after it
// the new one. Throws DbError. The context is of the old key, and of no use afterwards.
void rekey(Context& context, std::span<const std::uint8_t, 32> next, const Vouch& vouch);

// The hash key that the file keeps, if its box key was changed. Throws DbError.
void adopt_hash_key(Context& context);

// From a damaged file may come what does not open: without it the rest of that file is of use.
void drop_unreadable(Context& context);

// Tells whether a file was sealed with a box key.
inline constexpr const char* kKeyCheck = "store:key_check";

}  // namespace welcome::store
