// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the CRM's feed brings, checked (schema, signatures) on the link's thread and cut into
// pieces, each of which the engine carries out within some milliseconds and a transaction of its
// own.

#include <memory>
#include <vector>

#include "contract/signing.h"
#include "firmware/engine/engine.h"

namespace welcome::daemon {

// Any thread. `keys`: Engine::crm_keys() as they are now; the engine does not carry out a piece
// that was checked with others than are in force then. Empty: it is no batch of the feed, or none
// that can be read; the engine says why.
std::vector<input::Feed> feed_pieces(const contract::BoxAddress& box,
                                     const contract::RawMessage& raw,
                                     const std::shared_ptr<const contract::KeyRing>& keys,
                                     Ingress ingress, const sync::Receipt& receipt);

}  // namespace welcome::daemon
