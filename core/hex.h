// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes as lower-case hexadecimal digits, and back. No table is looked up, for some bytes are keys.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace welcome {

inline std::string to_hex(std::span<const std::uint8_t> bytes) {
  const auto digit = [](unsigned n) {
    return static_cast<char>('0' + n + (n > 9) * ('a' - '9' - 1));
  };
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += digit(byte >> 4U);
    text += digit(byte & 15U);
  }
  return text;
}

inline std::string to_hex(std::string_view bytes) {
  return to_hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

// Upper-case digits too. False: not that many bytes, or something else than digits.
inline bool from_hex(std::string_view text, std::span<std::uint8_t> bytes) {
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  if (text.size() != 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = value(text[2 * i]);
    const int low = value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace welcome
