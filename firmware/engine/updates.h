// SPDX-License-Identifier: Apache-2.0
#pragma once
// Updates: which release of the image the CRM wants this box to run, and the order that follows
// from it for the machine's own half, which fetches and installs it
// (packaging/image/tree/usr/lib/welcome-image/fetch). The daemon installs nothing. Engine thread
// only.

#include <string>

#include "contract/contract.h"
#include "firmware/engine/shared.h"

namespace welcome::daemon {

class Updates {
 public:
  explicit Updates(Shared& shared);

  // What counts is kept over restarts; what does not count (an older word, a time that is not now,
  // a clock that nobody vouches for) changes nothing, and the CRM says it again. The caller has
  // seen that it is signed. Errors: of the store.
  Result<void> hear(const contract::Taken::Update& update, const Now& now);
  // Of the newest that was heard; 0: none.
  std::uint64_t word() const { return heard_.word; }
  // The version that is wanted; empty: none.
  std::string wanted() const { return heard_.release ? heard_.release->version : ""; }
  // JSON; empty: nothing was ever heard. It may be installed at once, or in the store's quiet hours
  // (at night, where the policy has none), by a time that is trusted.
  std::string order(const Now& now) const;

 private:
  bool may_install(const Now& now) const;

  Shared& shared_;
  contract::Taken::Update heard_;
};

}  // namespace welcome::daemon
