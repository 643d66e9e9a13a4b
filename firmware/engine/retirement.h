// SPDX-License-Identifier: Apache-2.0
#pragma once
// Retirement: the box says to the CRM, signed with its key, that it destroys all that it holds; and
// whether the CRM has taken that. The key goes after that alone (`welcomectl retire`). What is said
// is on the disk before it leaves, and the answer before anybody is told. Engine thread only.

#include <optional>
#include <string>

#include "contract/contract.h"
#include "contract/signing.h"
#include "firmware/engine/delivery.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Retirement {
 public:
  Retirement(Shared& shared, Delivery& delivery, const contract::Signer& signer);

  struct State {
    std::string proof;       // data of box.retired, as it was signed
    bool confirmed = false;  // the CRM has taken it
  };
  // Says it; again: says it once more, with the key that the box has now. Errors: of the store.
  Result<State> say(const Now& now);
  // Nothing: it was never said.
  const std::optional<State>& state() const { return state_; }
  // Of these events the CRM says that it has taken them. Errors: of the store; it is said again.
  Result<void> taken(const contract::Taken& taken, const Now& now);

 private:
  void keep(const State& state, store::Tx& tx) const;

  Shared& shared_;
  Delivery& delivery_;
  const contract::Signer& signer_;
  MessageId event_;
  WallTime at_;
  std::optional<State> state_;
};

}  // namespace welcome::daemon
