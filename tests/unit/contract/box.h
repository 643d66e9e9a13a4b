// SPDX-License-Identifier: Apache-2.0
#pragma once
// The box that the tests of this room speak of.

#include "contract/topics.h"

namespace welcome::contract {

inline const BoxAddress kBox{"demo", "aroma-1", "box-1"};

}  // namespace welcome::contract
