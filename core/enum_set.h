// SPDX-License-Identifier: Apache-2.0
#pragma once
// EnumSet: some of the values of an enum that has eight at most. A value.

#include <cstdint>

namespace welcome {

template <class Enum>
class EnumSet {
 public:
  constexpr EnumSet() = default;

  constexpr EnumSet& add(Enum one) {
    bits_ = static_cast<std::uint8_t>(bits_ | bit(one));
    return *this;
  }
  constexpr EnumSet& remove(Enum one) {
    bits_ = static_cast<std::uint8_t>(bits_ & ~bit(one));
    return *this;
  }
  constexpr bool has(Enum one) const { return (bits_ & bit(one)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(EnumSet, EnumSet) = default;

 private:
  static constexpr std::uint8_t bit(Enum one) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(one));
  }
  std::uint8_t bits_ = 0;
};

}  // namespace welcome
