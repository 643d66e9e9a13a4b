// SPDX-License-Identifier: Apache-2.0
#pragma once
// An image's update as `./dev image` makes it (a RAUC bundle of format verity): what its manifest
// says, and what makes the file this one. Nobody is believed here: a box checks the signature.

#include <cstdint>
#include <string>

#include "core/result.h"

namespace welcome::crm {

struct Bundle {
  std::string version;     // 1.2.3
  std::string compatible;  // for which kind of box: welcome-box-amd64
  std::string digest;      // SHA-256, hex
  std::int64_t size = 0;
};

// As schemas/taken.json has it.
inline constexpr std::int64_t kBundleMost = std::int64_t{1} << 31U;

// Reads all of the file. Errors: unavailable (with the reason), malformed (it is no such bundle).
Result<Bundle> read_bundle(const std::string& file);

}  // namespace welcome::crm
