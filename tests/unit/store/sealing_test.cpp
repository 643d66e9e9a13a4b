// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/sealing.h"

#include <array>
#include <gtest/gtest.h>

#include "firmware/control/box_keys.h"

namespace welcome::store {
namespace {

// `welcomectl provision` signs before there is a store, and head office pins what it signed with.
TEST(Sealing, SignsWithTheKeyThatControlNames) {
  control::KeyBytes box_key{};
  for (std::size_t i = 0; i < box_key.size(); ++i) box_key[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(Sealer(box_key).signing_seed(), control::signing_seed(box_key));
}

}  // namespace
}  // namespace welcome::store
