// SPDX-License-Identifier: Apache-2.0
#pragma once
// "Did you mean …": the one of some words that a mistyped one is closest to. Pure.

#include <span>
#include <string>
#include <string_view>

namespace welcome {

// Empty when none is near: letters missing, added, changed or swapped, one in three at most.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// "; did you mean 'source'?", or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace welcome
