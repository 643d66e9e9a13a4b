// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/stored_feed.h"

#include "core/hex.h"
#include "firmware/engine/convert.h"

namespace welcome::daemon {

std::optional<std::uint64_t> StoredFeed::seq_of(contract::Collection collection,
                                                std::string_view key) const {
  const auto seq = replica_.seq_of(store_collection(collection), key);
  if (!seq || !*seq) return std::nullopt;
  return static_cast<std::uint64_t>(**seq);
}

bool StoredFeed::empty(contract::Collection collection) const {
  return replica_.empty(store_collection(collection)).value_or(false);
}

std::string StoredFeed::name_of(contract::Collection collection, std::string_view key) const {
  return replica_.name_of(store_collection(collection), key);
}

void StoredFeed::for_each(contract::Collection collection,
                          const std::function<void(std::string_view)>& visit) const {
  // Names that cannot be read look as if they were not there.
  if (!replica_.for_each_name(store_collection(collection), visit)) return;
}

std::optional<contract::Have> have_of(const store::FeedState& state) {
  if (state.epoch.empty()) return std::nullopt;
  return contract::Have{state.epoch, static_cast<std::uint64_t>(state.seq), to_hex(state.digest)};
}

store::FeedState state_of(const contract::Have& have) {
  return {have.epoch, static_cast<std::int64_t>(have.seq),
          store::digest_from_hex(have.digest).value_or(store::Digest{})};
}

}  // namespace welcome::daemon
