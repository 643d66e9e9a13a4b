// SPDX-License-Identifier: Apache-2.0
#pragma once
// A hash that is the same on every box, compiler and day: assignment and hold-out depend on it.
// FNV-1a (RFC draft-eastlake-fnv, 64 bit), finished by the mixer of SplitMix64 (Steele et al.
// 2014).

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace welcome {

constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

// Parts are kept apart: {"ab","c"} and {"a","bc"} differ.
constexpr std::uint64_t stable_hash(std::uint64_t seed,
                                    std::initializer_list<std::string_view> parts) {
  std::uint64_t h = 0xCBF29CE484222325ULL ^ mix64(seed);
  for (std::string_view part : parts) {
    for (char c : part) {
      h ^= static_cast<unsigned char>(c);
      h *= 0x100000001B3ULL;
    }
    h ^= 0xFF;
    h *= 0x100000001B3ULL;
  }
  return mix64(h);
}

// 0 ≤ result < 1
constexpr double unit_interval(std::uint64_t hash) {
  return static_cast<double>(hash >> 11) * 0x1.0p-53;
}

// A small reproducible generator (SplitMix64).
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}
  constexpr std::uint64_t next() {
    const std::uint64_t out = mix64(state_);
    state_ += 0x9E3779B97F4A7C15ULL;
    return out;
  }
  constexpr double uniform() { return unit_interval(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace welcome
