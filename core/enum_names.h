// SPDX-License-Identifier: Apache-2.0
#pragma once
// One table per enum, read both ways. For .cpp files.

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

namespace welcome {

template <class E, std::size_t N>
using EnumNames = std::array<std::pair<E, std::string_view>, N>;

template <class E, std::size_t N>
constexpr std::string_view enum_name(const EnumNames<E, N>& names, E value) {
  for (const auto& [v, name] : names) {
    if (v == value) return name;
  }
  return "?";
}

template <class E, std::size_t N>
constexpr std::optional<E> enum_value(const EnumNames<E, N>& names, std::string_view text) {
  for (const auto& [v, name] : names) {
    if (name == text) return v;
  }
  return std::nullopt;
}

}  // namespace welcome
