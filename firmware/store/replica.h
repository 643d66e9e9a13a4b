// SPDX-License-Identifier: Apache-2.0
#pragma once
// Replica: the newest of each feed item that the CRM sent, sealed, with the feed's position. What
// is to be written, and where the box then is, sync::FeedReceiver decides; nothing is judged here.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome::store {

class Context;

enum class Collection : std::uint8_t { profiles, consents, identities, campaigns, policy, staff };

std::string_view to_string(Collection collection);
std::optional<Collection> collection_from_string(std::string_view text);

using Digest = std::array<std::uint8_t, 16>;

std::optional<Digest> digest_from_hex(std::string_view hex);

struct FeedState {
  std::string epoch;  // empty = never received as a whole
  std::int64_t seq = 0;
  Digest digest{};  // of all items, those without a body included
};

struct ReplicaItem {
  std::string key;
  CustomerId customer;  // empty where it is about nobody
  std::int64_t seq = 0;
  std::string body;   // the item's JSON as it came
  std::string brief;  // optional compact form of it, made by the caller for a fast start
};

struct FeedChange {
  ReplicaItem item;  // for an erase: key and seq
  bool erase = false;
  bool withhold = false;  // a poisoned item: it is counted, its body is not kept
  bool keep = false;      // with withhold: the last good body stays in use
  bool fresh = false;     // there is none of this key yet: the caller knows
};

struct ApplyReport {
  std::size_t put = 0;
  std::size_t erased = 0;
  std::size_t withheld = 0;  // poisoned, or of a person who is to be forgotten (tombstone)
};

class Replica {
 public:
  explicit Replica(Context& context);

  Result<FeedState> state(Collection collection) const;

  // What the file calls a key: its keyed hash.
  std::string name_of(Collection collection, std::string_view key) const;
  Result<void> for_each_name(Collection collection,
                             const std::function<void(std::string_view name)>& fn) const;
  Result<std::optional<std::int64_t>> seq_of(Collection collection, std::string_view key) const;

  // not_found when there is none (or it is withheld).
  Result<ReplicaItem> find(Collection collection, std::string_view key) const;
  Result<ReplicaItem> find_named(Collection collection, std::string_view name) const;
  Result<std::vector<ReplicaItem>> of_customer(Collection collection,
                                               const CustomerId& customer) const;
  // The same with `brief` in place of `body`, where there is one.
  Result<std::vector<ReplicaItem>> briefs_of_customer(Collection collection,
                                                      const CustomerId& customer) const;
  // Withheld ones count.
  Result<bool> empty(Collection collection) const;

  // Calls fn for every live item, in no particular order. An item whose bytes do not open is
  // skipped and counted in `damaged`.
  struct LoadReport {
    std::size_t loaded = 0;
    std::size_t damaged = 0;
  };
  Result<LoadReport> load(Collection collection,
                          const std::function<void(ReplicaItem&&)>& fn) const;
  // The same with `brief` in place of `body`, for a start with 100,000 customers. Items that were
  // stored without a brief are left out.
  Result<LoadReport> load_briefs(Collection collection,
                                 const std::function<void(ReplicaItem&&)>& fn) const;

  Result<std::int64_t> count(Collection collection) const;

  // Part of a transaction (tx.h).
  class Writer {
   public:
    // The changes in their order, the items of these names gone, and the new position (nothing = it
    // stays).
    ApplyReport apply(Collection collection, const std::optional<FeedState>& position,
                      std::span<const FeedChange> changes, std::span<const std::string> gone = {});
    // Forgets the position: the CRM sends everything again, until then the items stay in use. All
    // but these, whose bodies go at once.
    void distrust(Collection collection, std::span<const std::string> keys = {});

   private:
    friend class Tx;
    explicit Writer(Context& context) : context_(context) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Context& context_;
  };

 private:
  Context& context_;
};

}  // namespace welcome::store
