// SPDX-License-Identifier: Apache-2.0
#pragma once
// A customer's part of a recording is sealed under a key of her own, which the store keeps. Pure,
// any thread.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/ids.h"
#include "firmware/recording/format.h"

namespace welcome::recording {

struct CardKey {
  std::string id;  // names the key on the card; random
  std::array<std::uint8_t, 32> secret{};
};

// By the key's id: whose it is.
using CardKeys = std::map<std::string, std::pair<CustomerId, CardKey>, std::less<>>;

CardKey new_card_key();
// XChaCha20-Poly1305; the key's id is bound to it.
Sealed seal(const CardKey& key, std::string_view plain);
// Nothing when it is not what this key sealed.
std::optional<std::string> open(const CardKey& key, const Sealed& sealed);

// A key as the store keeps it, and the last day it was used for.
struct StoredKey {
  CardKey key;
  std::string day;  // "2026-11-21"
};
std::string encode(const StoredKey& stored);
std::optional<StoredKey> decode_stored_key(const std::string& id, std::string_view text);

}  // namespace welcome::recording
