// SPDX-License-Identifier: Apache-2.0
#include "sync/feed.h"

#include <algorithm>
#include <sodium.h>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "core/hex.h"

namespace welcome::sync {

namespace {

FeedPlan gap(contract::Collection collection, std::string reason) {
  FeedPlan plan;
  plan.collection = collection;
  plan.reason = std::move(reason);
  return plan;
}

FeedPlan duplicate(contract::Collection collection) {
  FeedPlan plan;
  plan.collection = collection;
  plan.verdict = FeedVerdict::duplicate;
  return plan;
}

// The replica as it will be after the items so far: one batch may touch a key twice.
class After {
 public:
  After(const ReplicaView& replica, contract::Collection collection, contract::Digest digest)
      : replica_(replica), collection_(collection), digest_(digest) {}

  std::optional<std::uint64_t> seq_of(const std::string& key) {
    const auto known = known_.find(key);
    if (known != known_.end()) return known->second;
    return known_.emplace(key, replica_.seq_of(collection_, key)).first->second;
  }

  void apply(const contract::FeedItem& item) {
    if (const auto old = seq_of(item.key)) digest_.toggle(item.key, *old);
    if (item.deleted) {
      known_[item.key] = std::nullopt;
    } else {
      digest_.toggle(item.key, item.seq);
      known_[item.key] = item.seq;
    }
  }

  const contract::Digest& digest() const { return digest_; }

 private:
  const ReplicaView& replica_;
  contract::Collection collection_;
  contract::Digest digest_;
  std::unordered_map<std::string, std::optional<std::uint64_t>> known_;
};

contract::Digest digest_of(const std::map<contract::Collection, contract::Have>& have,
                           contract::Collection collection) {
  const auto found = have.find(collection);
  if (found == have.end()) return {};
  return contract::Digest::from_hex(found->second.digest).value_or(contract::Digest());
}

}  // namespace

FeedReceiver::FeedReceiver(const ReplicaView& replica) : replica_(replica) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
  randombytes_buf(hash_key_.data(), hash_key_.size());
}

void FeedReceiver::load(contract::Collection collection, contract::Have have) {
  have_[collection] = std::move(have);
}

FeedPlan FeedReceiver::plan(contract::FeedBatch batch) const {
  return batch.snapshot ? plan_snapshot(std::move(batch)) : plan_delta(std::move(batch));
}

FeedPlan FeedReceiver::plan_delta(contract::FeedBatch batch) const {
  const auto found = have_.find(batch.collection);
  if (found == have_.end()) return gap(batch.collection, "nothing to build on");
  const contract::Have& have = found->second;
  if (batch.epoch != have.epoch) return gap(batch.collection, "another epoch");
  if (batch.to_seq <= have.seq) return duplicate(batch.collection);
  if (batch.from_seq > have.seq) return gap(batch.collection, "a batch is missing");

  FeedPlan plan;
  plan.verdict = FeedVerdict::apply;
  plan.collection = batch.collection;
  After after(replica_, batch.collection, digest_of(have_, batch.collection));
  for (contract::FeedItem& item : batch.items) {
    // Already here: an overlap with the batch before, or a part of a snapshot that was cut off.
    if (item.seq <= have.seq) continue;
    if (const auto held = after.seq_of(item.key); held && *held >= item.seq) continue;
    after.apply(item);
    plan.items.push_back(std::move(item));
  }
  if (!batch.digest.empty() && batch.digest != after.digest().hex()) {
    FeedPlan wrong = gap(batch.collection, "the digest after the batch differs");
    wrong.distrust = true;
    return wrong;
  }
  plan.have = contract::Have{batch.epoch, batch.to_seq, after.digest().hex()};
  plan.complete = true;
  return plan;
}

FeedPlan FeedReceiver::plan_snapshot(contract::FeedBatch batch) const {
  const contract::Collection collection = batch.collection;
  const auto have = have_.find(collection);
  const bool trusted = have != have_.end() && !distrusted_.contains(collection);
  if (trusted && have->second.epoch == batch.epoch && batch.to_seq <= have->second.seq &&
      (batch.to_seq < have->second.seq || batch.digest == have->second.digest)) {
    return duplicate(collection);
  }

  FeedPlan plan;
  plan.verdict = FeedVerdict::apply;
  plan.collection = collection;
  plan.part = FeedPlan::Part{batch.epoch, batch.to_seq, batch.part, batch.parts, {}};
  const auto running = snapshots_.find(collection);
  if (batch.part > 1) {
    if (running == snapshots_.end()) return gap(collection, "a snapshot without its beginning");
    const FeedPlan::Part& last = running->second.last;
    if (last.epoch != batch.epoch || last.to_seq != batch.to_seq || last.parts != batch.parts) {
      return gap(collection, "a part of another snapshot");
    }
    if (batch.part <= last.part) return duplicate(collection);
    if (batch.part != last.part + 1) return gap(collection, "a part of the snapshot is missing");
    plan.part->digest = last.digest;
  }

  After after(replica_, collection, digest_of(have_, collection));
  for (contract::FeedItem& item : batch.items) {
    after.apply(item);
    plan.part->digest.toggle(item.key, item.seq);
    plan.items.push_back(std::move(item));
  }
  if (batch.part < batch.parts) {
    if (have != have_.end()) {
      plan.have = have->second;  // where we are has not changed, but what is here has
      plan.have->digest = after.digest().hex();
    }
    return plan;
  }

  if (plan.part->digest.hex() != batch.digest) {
    FeedPlan wrong = gap(collection, "the snapshot's digest differs from its items");
    wrong.distrust = true;
    return wrong;
  }
  std::vector<std::uint64_t> seen;
  if (batch.part > 1) seen = running->second.seen;
  for (const contract::FeedItem& item : plan.items) {
    seen.push_back(hash(replica_.name_of(collection, item.key)));
  }
  std::sort(seen.begin(), seen.end());
  replica_.for_each(collection, [&](std::string_view name) {
    if (!std::binary_search(seen.begin(), seen.end(), hash(name))) plan.sweep.emplace_back(name);
  });
  plan.have = contract::Have{batch.epoch, batch.to_seq, batch.digest};
  plan.complete = true;
  return plan;
}

void FeedReceiver::committed(const FeedPlan& plan) {
  if (plan.distrust) distrusted_.insert(plan.collection);
  if (plan.verdict == FeedVerdict::gap) snapshots_.erase(plan.collection);
  if (plan.verdict != FeedVerdict::apply) return;
  if (plan.have) have_[plan.collection] = *plan.have;
  if (!plan.part) return;
  if (plan.complete) {
    snapshots_.erase(plan.collection);
    distrusted_.erase(plan.collection);
    return;
  }
  Snapshot& snapshot = snapshots_[plan.collection];
  if (plan.part->part == 1) snapshot.seen.clear();
  snapshot.last = *plan.part;
  for (const contract::FeedItem& item : plan.items) {
    snapshot.seen.push_back(hash(replica_.name_of(plan.collection, item.key)));
  }
}

void FeedReceiver::forget(contract::Collection collection) {
  have_.erase(collection);
  distrusted_.erase(collection);
  snapshots_.erase(collection);
}

void FeedReceiver::reset_snapshots() { snapshots_.clear(); }

std::map<contract::Collection, contract::Have> FeedReceiver::have() const {
  std::map<contract::Collection, contract::Have> have = have_;
  for (const contract::Collection collection : distrusted_) have.erase(collection);
  return have;
}

std::uint64_t FeedReceiver::hash(std::string_view name) const {
  std::array<unsigned char, crypto_shorthash_BYTES> out{};
  crypto_shorthash(out.data(), reinterpret_cast<const unsigned char*>(name.data()), name.size(),
                   hash_key_.data());
  std::uint64_t value = 0;
  for (const unsigned char byte : out) value = value << 8 | byte;
  return value;
}

}  // namespace welcome::sync
