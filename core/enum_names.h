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

template <class E, std::size_t N>
constexpr std::array<std::string_view, N> words_of(const EnumNames<E, N>& names) {
  std::array<std::string_view, N> words;
  for (std::size_t i = 0; i < N; ++i) words[i] = names[i].second;
  return words;
}

}  // namespace welcome
