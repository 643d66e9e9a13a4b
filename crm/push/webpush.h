// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a browser's push service is sent: a message that only that browser can read (RFC 8291, in
// the coding of RFC 8188), and who sends it (VAPID, RFC 8292). Pure.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"
#include "crm/push/p256.h"

namespace welcome::crm::webpush {

// What the browser gave: bytes, its key's point and its secret of 16.
struct Receiver {
  std::string point, secret;
};

// What a message may have; whatever it has, it is sent as long as this, so that its length says
// nothing.
constexpr std::size_t kMostBytes = 2048;

using Salt = std::array<std::uint8_t, 16>;

// The body, Content-Encoding aes128gcm. Nothing: the receiver's key is none, or the message is too
// long. `sender` is for this message alone.
std::optional<std::string> encrypted(const Receiver& to, std::string_view message,
                                     const P256& sender, const Salt& salt,
                                     std::size_t padded_to = kMostBytes);
// The same, with a key and a salt made for it.
std::optional<std::string> encrypted(const Receiver& to, std::string_view message);

// The header Authorization. `origin`: https://push.example.com; `contact`: mailto: or https:, where
// the push service says when something is wrong with what we send.
std::string authorization(const P256& key, const std::string& origin, const std::string& contact,
                          WallTime now);

}  // namespace welcome::crm::webpush
