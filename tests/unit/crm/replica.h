// SPDX-License-Identifier: Apache-2.0
#pragma once
// A box's half of the feed for one collection.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "contract/digest.h"
#include "crm/feed.h"
#include "sync/feed.h"

namespace welcome::crm {

// Nothing but the real receiver.
class Replica : sync::ReplicaView {
 public:
  explicit Replica(Collection collection) : collection_(collection), receiver_(*this) {}

  // What the CRM sends when the box says hello. Returns how many items came.
  std::size_t hello(Feed& feed, const BoxKey& box) {
    const Scope scope = feed.scope_of(collection_, box);
    const Position head = feed.head(collection_, scope);
    std::optional<Position> have;
    const auto all = receiver_.have();
    if (const auto found = all.find(collection_); found != all.end()) {
      have = Position{found->second.epoch, static_cast<std::int64_t>(found->second.seq),
                      found->second.digest};
    }
    switch (remedy(have, head, feed.oldest(collection_, scope))) {
      case Remedy::nothing:
        return 0;
      case Remedy::delta:
        return take(delta(collection_, head, have->seq, feed.since(collection_, have->seq, scope)));
      case Remedy::snapshot:
        ++snapshots;
        return take(snapshot(collection_, head, feed.live(collection_, scope)));
    }
    return 0;
  }
  Position position() const {
    const auto have = receiver_.have();
    const auto found = have.find(collection_);
    if (found == have.end()) return {};
    return {found->second.epoch, static_cast<std::int64_t>(found->second.seq),
            found->second.digest};
  }
  std::string digest() const {
    contract::Digest sum;
    for (const auto& [key, item] : items_) sum.toggle(key, item.first);
    return sum.hex();
  }
  std::map<std::string, std::string> values() const {
    std::map<std::string, std::string> out;
    for (const auto& [key, item] : items_) out[key] = item.second;
    return out;
  }
  int snapshots = 0;
  int gaps = 0;

 private:
  std::size_t take(std::vector<contract::FeedBatch> batches) {
    std::size_t came = 0;
    for (contract::FeedBatch& batch : batches) {
      came += batch.items.size();
      const auto plan = receiver_.plan(std::move(batch));
      for (const contract::FeedItem& item : plan.items) {
        if (item.deleted) {
          items_.erase(item.key);
        } else {
          items_[item.key] = {item.seq, item.value};
        }
      }
      for (const std::string& key : plan.sweep) items_.erase(key);
      gaps += plan.verdict == sync::FeedVerdict::gap ? 1 : 0;
      receiver_.committed(plan);
    }
    return came;
  }
  std::optional<std::uint64_t> seq_of(Collection, std::string_view key) const override {
    const auto found = items_.find(std::string(key));
    if (found == items_.end()) return std::nullopt;
    return found->second.first;
  }
  void for_each(Collection, const std::function<void(std::string_view)>& visit) const override {
    for (const auto& [key, item] : items_) visit(key);
  }

  Collection collection_;
  sync::FeedReceiver receiver_;
  std::map<std::string, std::pair<std::uint64_t, std::string>> items_;
};

}  // namespace welcome::crm
