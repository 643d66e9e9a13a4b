// SPDX-License-Identifier: Apache-2.0
#pragma once
// Secrets, as systemd hands them over: files in $CREDENTIALS_DIRECTORY (systemd.exec(5),
// LoadCredential=). Start-up only: throws std::runtime_error.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace welcome::daemon {

// The text of a credential without its last newline; empty when there is none.
std::string read_credential(const std::string& name);

// A key as people keep it: 32 bytes, raw or as 64 hexadecimal digits. Nothing: it is something
// else.
std::optional<std::array<std::uint8_t, 32>> key_in(std::string_view text);

// The box key: 32 bytes, raw or as 64 hexadecimal digits. While it is changed there are two lines
// of 64 digits, the one in use and the next.
struct BoxKeys {
  std::array<std::uint8_t, 32> key{};
  std::optional<std::array<std::uint8_t, 32>> next;
};
std::optional<BoxKeys> box_keys_in(std::string_view text);
BoxKeys read_box_keys();
// What the boxes of a store share, in the same form; nothing where there is none.
std::optional<std::array<std::uint8_t, 32>> read_store_key();

}  // namespace welcome::daemon
