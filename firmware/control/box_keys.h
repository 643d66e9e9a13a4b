// SPDX-License-Identifier: Apache-2.0
#pragma once
// The box key as people and systemd keep it: what welcomectl writes and the daemon reads.
// Pure; any thread. Secret: whoever has the text or the bytes wipes them.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace welcome::control {

using KeyBytes = std::array<std::uint8_t, 32>;

// 32 bytes, raw or as 64 hexadecimal digits. Nothing: it is something else.
std::optional<KeyBytes> key_in(std::string_view text);

// A box key, in the same form. While it is changed there are two lines of 64 digits: the one in use
// and the next. A box opens its database with either, so it may be stopped at any moment.
struct BoxKeys {
  KeyBytes key{};
  std::optional<KeyBytes> next;
};
std::optional<BoxKeys> box_keys_in(std::string_view text);

// What the Ed25519 key is made of that the box signs with, as store::Sealer has it, too: a box that
// is provisioned is known by this key from then on (tests/integration/provision.test.mjs).
KeyBytes signing_seed(const KeyBytes& box_key);

}  // namespace welcome::control
