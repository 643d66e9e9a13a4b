// SPDX-License-Identifier: Apache-2.0
#include "sync/feed.h"

#include <algorithm>
#include <iterator>
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

// What is here cannot be right: everything is asked for.
FeedPlan differs(contract::Collection collection, std::string reason) {
  FeedPlan plan = gap(collection, std::move(reason));
  plan.distrust = true;
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

  // Not in the replica, as the caller knows.
  void is_new(const std::string& key) { known_.emplace(key, std::nullopt); }

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

bool is_of(const contract::FeedBatch& batch, const FeedPlan::Part& part) {
  return part.epoch == batch.epoch && part.to_seq == batch.to_seq && part.parts == batch.parts;
}

// The first item of the next piece. Changes of one number belong together.
std::size_t end_of_piece(const std::vector<contract::FeedItem>& items, bool snapshot,
                         std::size_t first, std::size_t most) {
  std::size_t end = std::min(first + most, items.size());
  if (snapshot) return end;
  while (end < items.size() && items[end].seq == items[end - 1].seq) ++end;
  return end;
}

// Each once, and none of those before.
template <class Seen>
bool all_new(std::vector<std::uint64_t> names, const Seen* seen) {
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) == names.end() &&
         std::none_of(names.begin(), names.end(),
                      [&](std::uint64_t name) { return seen != nullptr && seen->contains(name); });
}

}  // namespace

std::size_t FeedPlan::Part::to_come() const {
  constexpr std::size_t kMost = 1'000'000;
  if (!cut.first || part != 1 || (parts == 1 && !cut.more)) return 0;
  return std::min(kMost, parts * std::max(cut.of, names.size()));
}

std::vector<FeedPiece> sliced(contract::FeedBatch batch, std::size_t items_at_most) {
  std::vector<FeedPiece> pieces;
  if (batch.items.size() <= items_at_most) {
    pieces.push_back({std::move(batch), {}});
    return pieces;
  }
  if (!batch.snapshot) {
    // In the order of the changes a delta may end after any of them.
    std::stable_sort(batch.items.begin(), batch.items.end(),
                     [](const auto& a, const auto& b) { return a.seq < b.seq; });
  }
  std::vector<contract::FeedItem> items = std::exchange(batch.items, {});
  for (std::size_t first = 0; first < items.size();) {
    const std::size_t end = end_of_piece(items, batch.snapshot, first, items_at_most);
    const bool last = end == items.size();
    FeedPiece piece{batch,
                    {.first = first == 0, .more = batch.snapshot && !last, .of = items.size()}};
    if (!batch.snapshot && !last) {
      piece.batch.to_seq = items[end - 1].seq;
      piece.batch.digest.clear();
    }
    piece.batch.items.assign(std::move_iterator(items.begin() + static_cast<std::ptrdiff_t>(first)),
                             std::move_iterator(items.begin() + static_cast<std::ptrdiff_t>(end)));
    if (!batch.snapshot) batch.from_seq = piece.batch.to_seq;
    pieces.push_back(std::move(piece));
    first = end;
  }
  return pieces;
}

FeedReceiver::FeedReceiver(const ReplicaView& replica) : replica_(replica) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
  randombytes_buf(hash_key_.data(), hash_key_.size());
}

void FeedReceiver::load(contract::Collection collection, contract::Have have) {
  have_[collection] = std::move(have);
}

FeedPlan FeedReceiver::plan(contract::FeedBatch batch, Cut cut) const {
  return batch.snapshot ? plan_snapshot(std::move(batch), cut) : plan_delta(std::move(batch));
}

FeedPlan FeedReceiver::plan_delta(contract::FeedBatch batch) const {
  const auto found = have_.find(batch.collection);
  if (found == have_.end()) return gap(batch.collection, "nothing to build on");
  const contract::Have& have = found->second;
  if (batch.epoch != have.epoch) return gap(batch.collection, "another epoch");
  if (batch.to_seq == have.seq && !batch.digest.empty() && batch.digest != have.digest &&
      !snapshots_.contains(batch.collection)) {
    return differs(batch.collection, "the digest differs from what is here");
  }
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
    return differs(batch.collection, "the digest after the batch differs");
  }
  plan.have = contract::Have{batch.epoch, batch.to_seq, after.digest().hex()};
  plan.complete = true;
  return plan;
}

bool FeedReceiver::came_already(const contract::FeedBatch& batch) const {
  const auto have = have_.find(batch.collection);
  const bool trusted = have != have_.end() && !distrusted_.contains(batch.collection);
  if (trusted && have->second.epoch == batch.epoch && batch.to_seq <= have->second.seq &&
      (batch.to_seq < have->second.seq || batch.digest == have->second.digest)) {
    return true;
  }
  const auto running = snapshots_.find(batch.collection);
  if (batch.part == 1 || running == snapshots_.end()) return false;
  const FeedPlan::Part& last = running->second.last;
  return is_of(batch, last) &&
         (batch.part < last.part || (batch.part == last.part && !last.cut.more));
}

std::string FeedReceiver::break_in(const contract::FeedBatch& batch, Cut cut) const {
  if (cut.first && batch.part == 1) return {};
  const auto running = snapshots_.find(batch.collection);
  if (running == snapshots_.end()) return "a snapshot without its beginning";
  const FeedPlan::Part& last = running->second.last;
  if (!is_of(batch, last)) return "a part of another snapshot";
  const bool follows = cut.first ? !last.cut.more && batch.part == last.part + 1
                                 : last.cut.more && batch.part == last.part;
  return follows ? std::string() : "a part of the snapshot is missing";
}

FeedPlan FeedReceiver::plan_snapshot(contract::FeedBatch batch, Cut cut) const {
  const contract::Collection collection = batch.collection;
  if (came_already(batch)) return duplicate(collection);
  if (auto why = break_in(batch, cut); !why.empty()) return gap(collection, std::move(why));

  const auto have = have_.find(collection);
  FeedPlan plan;
  plan.verdict = FeedVerdict::apply;
  plan.collection = collection;
  plan.part =
      FeedPlan::Part{batch.epoch, batch.to_seq, batch.part, batch.parts, cut, {}, {}, false, {}};
  const auto running = snapshots_.find(collection);
  const bool begins = cut.first && batch.part == 1;
  if (!begins) plan.part->digest = running->second.last.digest;
  const auto here = begins ? digest_here(collection) : running->second.last.here;
  plan.part->from_nothing =
      begins ? here && have == have_.end() : running->second.last.from_nothing;

  After after(replica_, collection, here.value_or(digest_of(have_, collection)));
  for (contract::FeedItem& item : batch.items) {
    const std::uint64_t name = hash(replica_.name_of(collection, item.key));
    plan.part->names.push_back(name);
    // What a snapshot brings where nothing was is there only if it came with it: no need to look.
    if (plan.part->from_nothing && (begins || !running->second.seen.contains(name))) {
      after.is_new(item.key);
    }
    after.apply(item);
    plan.part->digest.toggle(item.key, item.seq);
    plan.items.push_back(std::move(item));
  }
  plan.fresh = plan.part->from_nothing &&
               all_new(plan.part->names, begins ? nullptr : &running->second.seen);
  if (here) plan.part->here = after.digest();
  if (batch.part < batch.parts || cut.more) {
    if (have != have_.end()) {
      plan.have = have->second;  // where we are has not changed, but what is here has
      plan.have->digest = after.digest().hex();
    }
    return plan;
  }

  if (plan.part->digest.hex() != batch.digest) {
    return differs(collection, "the snapshot's digest differs from its items");
  }
  // Mostly what is here is what the snapshot has, and the digests say so at once.
  if (!here || after.digest().hex() != batch.digest) plan.sweep = left_over(plan, begins);
  plan.have = contract::Have{batch.epoch, batch.to_seq, batch.digest};
  plan.complete = true;
  return plan;
}

// Nothing: not known. Before the first snapshot nothing is here, if none was cut off.
std::optional<contract::Digest> FeedReceiver::digest_here(contract::Collection collection) const {
  if (distrusted_.contains(collection)) return std::nullopt;
  if (have_.contains(collection)) return digest_of(have_, collection);
  return replica_.empty(collection) ? std::optional<contract::Digest>(contract::Digest())
                                    : std::nullopt;
}

// Names that the snapshot does not have.
std::vector<std::string> FeedReceiver::left_over(const FeedPlan& plan, bool begins) const {
  const std::unordered_set<std::uint64_t> seen(plan.part->names.begin(), plan.part->names.end());
  const auto* before = begins ? nullptr : &snapshots_.at(plan.collection).seen;
  std::vector<std::string> names;
  replica_.for_each(plan.collection, [&](std::string_view name) {
    const std::uint64_t one = hash(name);
    if (!seen.contains(one) && !(before && before->contains(one))) names.emplace_back(name);
  });
  return names;
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
  const bool begins = plan.part->cut.first && plan.part->part == 1;
  if (begins) snapshots_.erase(plan.collection);
  Snapshot& snapshot = snapshots_[plan.collection];
  if (begins) snapshot.seen.reserve(plan.part->to_come());
  snapshot.seen.insert(plan.part->names.begin(), plan.part->names.end());
  snapshot.last = *plan.part;
  snapshot.last.names.clear();
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

bool FeedReceiver::stands_at(contract::Collection collection, const contract::Have& head) const {
  const auto found = have_.find(collection);
  if (found == have_.end() || distrusted_.contains(collection)) return false;
  const contract::Have& have = found->second;
  return have.epoch == head.epoch && have.seq == head.seq &&
         (head.digest.empty() || have.digest == head.digest);
}

bool FeedReceiver::lacks(contract::Collection collection, const contract::Have& head) const {
  const auto found = have_.find(collection);
  return found == have_.end() || distrusted_.contains(collection) ||
         found->second.epoch != head.epoch || found->second.seq < head.seq;
}

bool FeedReceiver::is_ahead(contract::Collection collection, const contract::Have& head) const {
  const auto found = have_.find(collection);
  return found != have_.end() && !distrusted_.contains(collection) &&
         found->second.epoch == head.epoch && found->second.seq > head.seq;
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
