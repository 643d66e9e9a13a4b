// SPDX-License-Identifier: Apache-2.0
#pragma once
// FeedIntake: what the CRM's feed brings, checked on the link's thread (schema, signatures) and cut
// into pieces, each of which the engine carries out within some milliseconds and a transaction of
// its own. pieces() on the link's thread, all else on the engine's.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "contract/signing.h"
#include "firmware/daemon/engine.h"

namespace welcome::daemon {

class FeedIntake {
 public:
  explicit FeedIntake(contract::BoxAddress box) : box_(std::move(box)) {}

  // The text of the CRM's key ring; nothing: signatures are not asked for.
  void set_keys(const std::optional<std::string>& text);

  // Empty: it is no batch of the feed, or none that can be read; the engine says why.
  std::vector<input::Feed> pieces(const contract::RawMessage& raw, Ingress ingress,
                                  const sync::Receipt& receipt) const;

  // False: it was checked with other keys than today's.
  bool is_current(const input::Feed& piece) const { return piece.checked_with == keys(); }

 private:
  std::shared_ptr<const contract::KeyRing> keys() const;

  const contract::BoxAddress box_;
  mutable std::mutex mutex_;
  std::shared_ptr<const contract::KeyRing> keys_;  // null: not asked for
};

}  // namespace welcome::daemon
