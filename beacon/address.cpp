// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstdio>

#include "beacon/advert.h"

namespace welcome::beacon {

std::string to_text(const Address& address) {
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "%02X:%02X:%02X:%02X:%02X:%02X", address[0], address[1],
                address[2], address[3], address[4], address[5]);
  return text.data();
}

std::optional<Address> parse_address(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  Address address{};
  for (std::size_t i = 0; i < address.size(); ++i) {
    const char* const digits = text.data() + 3 * i;
    const auto [end, bad] = std::from_chars(digits, digits + 2, address[i], 16);
    if (bad != std::errc() || end != digits + 2) return std::nullopt;
    if (i + 1 < address.size() && *end != ':') return std::nullopt;
  }
  return address;
}

}  // namespace welcome::beacon
