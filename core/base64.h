// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes as Base64 (RFC 4648, with padding), and back. No table is looked up, for some bytes are
// keys.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace welcome {

inline std::string to_base64(std::string_view bytes) {
  const auto digit = [](unsigned n) {
    if (n < 26) return static_cast<char>('A' + n);
    if (n < 52) return static_cast<char>('a' + (n - 26));
    if (n < 62) return static_cast<char>('0' + (n - 52));
    return n == 62 ? '+' : '/';
  };
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const bool there = at + i < bytes.size();
      group = group << 8U | (there ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    const std::size_t digits = bytes.size() - at >= 3 ? 4 : bytes.size() - at + 1;
    for (std::size_t i = 0; i < 4; ++i) {
      text += i < digits ? digit(group >> (18U - 6U * static_cast<unsigned>(i)) & 63U) : '=';
    }
  }
  return text;
}

inline std::string to_base64(std::span<const std::uint8_t> bytes) {
  return to_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// Nothing for what to_base64() would not have written.
inline std::optional<std::string> from_base64(std::string_view text) {
  const auto value = [](char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  std::string bytes;
  bytes.reserve(digits * 3 / 4);
  unsigned group = 0;
  unsigned bits = 0;
  for (const char c : text.substr(0, digits)) {
    const int n = value(c);
    if (n < 0) return std::nullopt;
    group = group << 6U | static_cast<unsigned>(n);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xFFU);
    group &= (1U << bits) - 1U;
  }
  if (group != 0) return std::nullopt;  // bits that belong to no byte
  return bytes;
}

// False: not that many bytes.
inline bool from_base64(std::string_view text, std::span<std::uint8_t> bytes) {
  const auto read = from_base64(text);
  if (!read || read->size() != bytes.size()) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>((*read)[i]);
  return true;
}

}  // namespace welcome
