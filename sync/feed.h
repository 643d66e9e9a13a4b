// SPDX-License-Identifier: Apache-2.0
#pragma once
// FeedReceiver: decides what a batch of the feed means for what the box already has.
//
// Pure: no I/O, no clock, one thread. The caller asks plan(), carries the plan out in one store
// transaction together with the new `have`, and only then says committed(). When the transaction
// fails nothing has moved, and the next hello asks for the same again.
//
// A snapshot is written part by part as it comes (each item is newer than what it replaces) and
// swept when the last part is there and its digest is right. Until then `have` stays behind, so a
// half snapshot heals by the next hello.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory_resource>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "contract/contract.h"
#include "contract/digest.h"
#include "contract/topics.h"

namespace welcome::sync {

// What the store holds, set-aside items included. A store that seals its keys knows them by a name
// of its own, such as a keyed hash.
class ReplicaView {
 public:
  virtual ~ReplicaView() = default;
  virtual std::optional<std::uint64_t> seq_of(contract::Collection collection,
                                              std::string_view key) const = 0;
  virtual std::string name_of(contract::Collection /*collection*/, std::string_view key) const {
    return std::string(key);
  }
  virtual void for_each(contract::Collection collection,
                        const std::function<void(std::string_view name)>& visit) const = 0;
  virtual bool empty(contract::Collection collection) const {
    bool any = false;
    for_each(collection, [&](std::string_view) { any = true; });
    return !any;
  }
};

enum class FeedVerdict : std::uint8_t {
  apply,      // carry out items and sweep, keep `have`
  duplicate,  // nothing to do, everything in it is already here
  gap,        // does not fit on what is here: say hello
};

// Where in its batch a piece is (sliced()).
struct Cut {
  bool first = true;   // of its batch
  bool more = false;   // a snapshot's part: the rest of it comes next
  std::size_t of = 0;  // items that its batch has, where it is not the whole of it
};

struct FeedPlan {
  FeedVerdict verdict = FeedVerdict::gap;
  contract::Collection collection = contract::Collection::profiles;
  // In order. put: write {key, seq, value}. deleted: remove. error set (set aside): write the key
  // and seq; a consent's old value goes (what we cannot read might be a withdrawal), the last good
  // value of any other collection stays.
  std::vector<contract::FeedItem> items;
  std::vector<std::string> sweep;      // names that the finished snapshot does not have: remove
  bool fresh = false;                  // the store has no item of these names
  std::optional<contract::Have> have;  // to be kept in the same transaction
  bool complete = false;               // the collection is now as the CRM had it at have->seq
  std::string reason;                  // gap: why, for the log

  // What committed() takes over.
  struct Part {
    std::string epoch;
    std::uint64_t to_seq = 0;
    std::uint32_t part = 0;
    std::uint32_t parts = 0;
    Cut cut;
    contract::Digest digest;               // of all parts so far
    std::optional<contract::Digest> here;  // of all that the store then has, where that is known
    bool from_nothing = false;             // before the snapshot the store had none of it
    std::vector<std::uint64_t> names;      // keyed hashes of those of the items

    // With the first piece: how many items the snapshot may have, so that nothing that holds them
    // has to grow while it comes. 0: not the first, or all of it is here.
    std::size_t to_come() const;
  };
  std::optional<Part> part;
  bool distrust = false;  // what is here differs from what the CRM says: ask for everything
};

// A batch in pieces that are quickly carried out, each in a transaction of its own, so that
// decisions are made in between. A delta falls into deltas.
struct FeedPiece {
  contract::FeedBatch batch;
  Cut cut{};
};
std::vector<FeedPiece> sliced(contract::FeedBatch batch, std::size_t items_at_most);

class FeedReceiver {
 public:
  explicit FeedReceiver(const ReplicaView& replica);

  // At start, from the store; a collection without one was never received.
  void load(contract::Collection collection, contract::Have have);

  FeedPlan plan(contract::FeedBatch batch, Cut cut) const;
  FeedPlan plan(contract::FeedBatch batch) const { return plan(std::move(batch), Cut{}); }
  // For each plan, whatever its verdict, once what it asks for is in the store.
  void committed(const FeedPlan& plan);

  // What is here of the collection is to be sent again as a whole.
  void forget(contract::Collection collection);

  // A new connection: parts of snapshots that have not come will not come.
  void reset_snapshots();

  // What hello says: without collections that are to be sent whole.
  std::map<contract::Collection, contract::Have> have() const;

  // Whether what is here is what the CRM says that it has, which may leave the digest out.
  bool stands_at(contract::Collection collection, const contract::Have& head) const;
  // Whether the CRM says that it has what is not here.
  bool lacks(contract::Collection collection, const contract::Have& head) const;
  // Whether what is here is newer: the CRM was restored from a backup, or this word was overtaken.
  bool is_ahead(contract::Collection collection, const contract::Have& head) const;

 private:
  // While it comes. Given back a name at a time, the set of 200,000 would stop decisions for 20 ms.
  struct Snapshot {
    std::pmr::monotonic_buffer_resource memory;
    std::pmr::unordered_set<std::uint64_t> seen{&memory};  // keyed hashes of the names that it has
    FeedPlan::Part last;
  };
  FeedPlan plan_delta(contract::FeedBatch batch) const;
  FeedPlan plan_snapshot(contract::FeedBatch batch, Cut cut) const;
  // Why this piece of a snapshot does not follow what came last; empty: it does.
  std::string break_in(const contract::FeedBatch& batch, Cut cut) const;
  bool came_already(const contract::FeedBatch& batch) const;
  std::optional<contract::Digest> digest_here(contract::Collection collection) const;
  std::vector<std::string> left_over(const FeedPlan& plan, bool begins) const;
  std::uint64_t hash(std::string_view name) const;

  const ReplicaView& replica_;
  std::array<std::uint8_t, 16> hash_key_{};
  std::map<contract::Collection, contract::Have> have_;
  std::set<contract::Collection> distrusted_;
  std::map<contract::Collection, Snapshot> snapshots_;
};

}  // namespace welcome::sync
