// SPDX-License-Identifier: Apache-2.0
// The messages that bring a box up to date.

#include <algorithm>

#include "crm/feed.h"

namespace welcome::crm {
namespace {

constexpr std::size_t kMaxBatchItems = 1000;

contract::FeedItem to_feed_item(const Item& item) {
  contract::FeedItem out;
  out.seq = static_cast<std::uint64_t>(item.seq);
  out.deleted = item.deleted;
  out.key = item.key;
  out.value = item.value;
  out.customer = CustomerId(item.customer);
  return out;
}

// {"key":…,"op":"delete","seq":…,"value":…}, and the comma. A key is JSON text of up to six bytes
// for each of its own.
constexpr std::size_t kItemFrame = 64;
std::size_t encoded_bytes(const Item& item) {
  const auto plain = [](unsigned char c) { return c >= 0x20 && c != '"' && c != '\\'; };
  const bool as_it_is = std::all_of(item.key.begin(), item.key.end(), plain);
  return item.value.size() + item.key.size() * (as_it_is ? 1 : 6) + kItemFrame;
}

// Splits without ever making an empty batch in the middle. An item that no message can carry goes
// without its value: the box sets it aside, says so, and comes further all the same.
std::vector<std::vector<contract::FeedItem>> split(const std::vector<Item>& items,
                                                   std::size_t max_bytes) {
  std::vector<std::vector<contract::FeedItem>> batches(1);
  std::size_t bytes = 0;
  for (const Item& item : items) {
    std::size_t size = encoded_bytes(item);
    const bool too_large = size > max_bytes;
    if (too_large) size -= item.value.size();
    if (!batches.back().empty() &&
        (bytes + size > max_bytes || batches.back().size() == kMaxBatchItems)) {
      batches.emplace_back();
      bytes = 0;
    }
    batches.back().push_back(to_feed_item(item));
    if (too_large) batches.back().back().value.clear();
    bytes += size;
  }
  return batches;
}

}  // namespace

Remedy remedy(const std::optional<Position>& have, const Position& head, std::int64_t oldest) {
  if (!have || have->epoch != head.epoch || have->seq > head.seq) return Remedy::snapshot;
  if (have->seq == head.seq) {
    return have->digest == head.digest ? Remedy::nothing : Remedy::snapshot;
  }
  return have->seq >= oldest ? Remedy::delta : Remedy::snapshot;
}

std::vector<contract::FeedBatch> delta(Collection collection, const Position& head,
                                       std::int64_t from_seq, const std::vector<Item>& items,
                                       std::size_t max_bytes) {
  std::vector<contract::FeedBatch> batches;
  auto position = static_cast<std::uint64_t>(from_seq);
  for (auto& part : split(items, max_bytes)) {
    contract::FeedBatch batch;
    batch.collection = collection;
    batch.epoch = head.epoch;
    batch.from_seq = position;
    batch.to_seq = part.empty() ? position : part.back().seq;
    batch.items = std::move(part);
    position = batch.to_seq;
    batches.push_back(std::move(batch));
  }
  // The head's own number may belong to a key that was purged since.
  batches.back().to_seq = static_cast<std::uint64_t>(head.seq);
  batches.back().digest = head.digest;
  return batches;
}

std::vector<contract::FeedBatch> snapshot(Collection collection, const Position& head,
                                          const std::vector<Item>& items, std::size_t max_bytes) {
  std::vector<contract::FeedBatch> batches;
  auto parts = split(items, max_bytes);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    contract::FeedBatch batch;
    batch.collection = collection;
    batch.epoch = head.epoch;
    batch.snapshot = true;
    batch.to_seq = static_cast<std::uint64_t>(head.seq);
    batch.part = static_cast<std::uint32_t>(i + 1);
    batch.parts = static_cast<std::uint32_t>(parts.size());
    batch.digest = head.digest;
    batch.items = std::move(parts[i]);
    batches.push_back(std::move(batch));
  }
  return batches;
}

}  // namespace welcome::crm
