// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/feed_intake.h"

#include <utility>

namespace welcome::daemon {

void FeedIntake::set_keys(const std::optional<std::string>& text) {
  std::shared_ptr<const contract::KeyRing> fresh;
  if (text) {
    // The engine takes no text that is malformed; an empty ring lets nothing through.
    fresh = std::make_shared<const contract::KeyRing>(
        contract::KeyRing::parse(*text).value_or(contract::KeyRing()));
  }
  const std::lock_guard lock(mutex_);
  keys_ = std::move(fresh);
}

std::shared_ptr<const contract::KeyRing> FeedIntake::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

std::vector<input::Feed> FeedIntake::pieces(const contract::RawMessage& raw, Ingress ingress,
                                            const sync::Receipt& receipt) const {
  std::vector<input::Feed> out;
  const auto topic = contract::parse_topic(raw.topic);
  if (!topic || topic->kind != contract::TopicKind::feed) return out;
  const auto ring = keys();
  auto decoded = contract::decode_for_box(box_, raw, ring.get());
  if (!decoded) return out;
  for (auto& piece :
       sync::sliced(std::get<contract::FeedBatch>(std::move(*decoded)), kItemsAtOnce)) {
    out.push_back({std::move(piece), ring, ingress, receipt});
  }
  return out;
}

}  // namespace welcome::daemon
