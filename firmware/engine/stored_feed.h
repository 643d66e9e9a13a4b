// SPDX-License-Identifier: Apache-2.0
#pragma once
// StoredFeed: the store's replica as sync::FeedReceiver sees it, and its positions in words of
// each. What cannot be read looks as if it were not there: the digest then differs, and the CRM
// sends everything again. Engine thread only.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/store/replica.h"
#include "sync/feed.h"

namespace welcome::daemon {

class StoredFeed : public sync::ReplicaView {
 public:
  explicit StoredFeed(store::Replica& replica) : replica_(replica) {}

  std::optional<std::uint64_t> seq_of(contract::Collection collection,
                                      std::string_view key) const override;
  std::string name_of(contract::Collection collection, std::string_view key) const override;
  void for_each(contract::Collection collection,
                const std::function<void(std::string_view name)>& visit) const override;
  bool empty(contract::Collection collection) const override;

 private:
  store::Replica& replica_;
};

// Nothing: never received as a whole.
std::optional<contract::Have> have_of(const store::FeedState& state);
store::FeedState state_of(const contract::Have& have);

}  // namespace welcome::daemon
