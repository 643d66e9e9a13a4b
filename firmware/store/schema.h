// SPDX-License-Identifier: Apache-2.0
#pragma once
// The schema, newest, and the steps that bring an older file to it. Internal to firmware/store.
//
// A released step is never edited: a new one is added, and schema() changed to match. A test
// compares the two, and another opens a file of each released version.

#include <span>

namespace welcome::store {

inline constexpr int kSchemaVersion = 6;
// In every file of ours (PRAGMA application_id): "WLCM".
inline constexpr int kApplicationId = 0x574c434d;

const char* schema();
// migrations()[n] leads from version n + 1 to n + 2.
std::span<const char* const> migrations();

}  // namespace welcome::store
