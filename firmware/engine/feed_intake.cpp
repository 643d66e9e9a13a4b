// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/feed_intake.h"

#include <utility>

namespace welcome::daemon {

std::vector<input::Feed> feed_pieces(const contract::BoxAddress& box,
                                     const contract::RawMessage& raw,
                                     const std::shared_ptr<const contract::KeyRing>& keys,
                                     Ingress ingress, const sync::Receipt& receipt) {
  std::vector<input::Feed> out;
  const auto topic = contract::parse_topic(raw.topic);
  if (!topic || topic->kind != contract::TopicKind::feed) return out;
  auto decoded = contract::decode_for_box(box, raw, keys.get());
  if (!decoded) return out;
  for (auto& piece :
       sync::sliced(std::get<contract::FeedBatch>(std::move(*decoded)), kItemsAtOnce)) {
    out.push_back({std::move(piece), keys, ingress, receipt});
  }
  return out;
}

}  // namespace welcome::daemon
