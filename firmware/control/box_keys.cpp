// SPDX-License-Identifier: Apache-2.0
#include "firmware/control/box_keys.h"

#include <algorithm>
#include <sodium.h>
#include <tuple>

namespace welcome::control {

std::optional<KeyBytes> key_in(std::string_view text) {
  KeyBytes key{};
  if (text.size() == key.size()) {
    std::copy(text.begin(), text.end(), key.begin());
    return key;
  }
  std::size_t written = 0;
  if (sodium_hex2bin(key.data(), key.size(), text.data(), text.size(), "\n", &written, nullptr) !=
          0 ||
      written != key.size()) {
    return std::nullopt;
  }
  return key;
}

std::optional<BoxKeys> box_keys_in(std::string_view text) {
  constexpr std::size_t kLine = 64;
  if (text.size() > kLine) {
    while (text.ends_with('\n')) text.remove_suffix(1);
  }
  const bool two = text.size() > kLine && text[kLine] == '\n';
  const auto key = key_in(two ? text.substr(0, kLine) : text);
  const auto next = two ? key_in(text.substr(kLine + 1)) : std::nullopt;
  if (!key || next.has_value() != two) return std::nullopt;
  return BoxKeys{*key, next};
}

KeyBytes signing_seed(const KeyBytes& box_key) {
  constexpr std::uint64_t kSigning = 4;
  static_assert(crypto_kdf_KEYBYTES == std::tuple_size_v<KeyBytes>);
  KeyBytes seed{};
  crypto_kdf_derive_from_key(seed.data(), seed.size(), kSigning, "welcomed", box_key.data());
  return seed;
}

}  // namespace welcome::control
