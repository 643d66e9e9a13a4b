// SPDX-License-Identifier: Apache-2.0
#pragma once
// The schema, newest, and the steps that bring an older file to it. Internal to firmware/store.
//
// A released step is never edited: a new one is added, and schema() changed to match. A test
// compares the two, and another opens a file of each released version.
//
// A step only adds, so that the version before goes on working with the file when an update is
// rolled back: tables, whose rows about a customer go with the customer (ON DELETE CASCADE), and
// columns at the end that may be NULL or have a default. What is no longer used goes one version
// after the last that used it, and kOldestReader moves on. A test holds them to it.

#include <span>

namespace welcome::store {

inline constexpr int kSchemaVersion = 6;
// The oldest schema whose versions of welcomed go on working with a file of this one. Every file
// says it (meta, `kOldestReaderName`).
inline constexpr int kOldestReader = 6;
inline constexpr const char* kOldestReaderName = "oldest_reader";
// In every file of ours (PRAGMA application_id): "WLCM".
inline constexpr int kApplicationId = 0x574c434d;

const char* schema();
// migrations()[n] leads from version n + 1 to n + 2.
std::span<const char* const> migrations();

}  // namespace welcome::store
