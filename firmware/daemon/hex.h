#pragma once
// Bytes as hexadecimal digits. Pure; any thread.

#include <cstdint>
#include <sodium.h>
#include <span>
#include <string>
#include <string_view>

namespace welcome::daemon {

inline std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string text(2 * bytes.size() + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

// False: not that many bytes, or something else than digits.
inline bool from_hex(std::string_view text, std::span<std::uint8_t> bytes) {
  std::size_t written = 0;
  return text.size() == 2 * bytes.size() &&
         sodium_hex2bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &written,
                        nullptr) == 0 &&
         written == bytes.size();
}

}  // namespace welcome::daemon
