#pragma once
// Replica: the newest of each feed item that the CRM sent, sealed, with the feed's position.
//
// The digest of a collection is the XOR over its live items of BLAKE2b-128(key NUL decimal-seq); it
// is kept up with every change, and also counts items that are withheld (see below), so that it
// equals the CRM's whenever we have received the same.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/core/ids.h"
#include "firmware/core/result.h"
#include "firmware/core/time.h"

namespace welcome::store {

class Context;

enum class Collection : std::uint8_t { profiles, consents, identities, campaigns, policy };

std::string_view to_string(Collection collection);
std::optional<Collection> collection_from_string(std::string_view text);

using Digest = std::array<std::uint8_t, 16>;

Digest item_digest(std::string_view key, std::int64_t seq);
std::string to_hex(const Digest& digest);
std::optional<Digest> digest_from_hex(std::string_view hex);

struct FeedState {
  std::string epoch;  // empty = nothing received yet
  std::int64_t seq = 0;
  Digest digest{};
};

struct FeedItem {
  std::string key;
  CustomerId customer;  // empty for campaigns and policy
  std::int64_t seq = 0;
  std::string body;   // the item's JSON as it came
  std::string brief;  // optional compact form of it, made by the caller for a fast start
};

struct FeedChange {
  FeedItem item;  // for an erase: key and seq
  bool erase = false;
  // A poisoned item: position and digest count it, its body is not kept.
  bool withhold = false;
};

struct ApplyReport {
  std::size_t put = 0;
  std::size_t erased = 0;
  std::size_t withheld = 0;  // poisoned, or of a person who is to be forgotten (tombstone)
  std::size_t stale = 0;     // older than what we have: ignored
};

class Replica {
 public:
  explicit Replica(Context& context);

  Result<FeedState> state(Collection collection) const;

  // One delta: the changes and the new position, in one transaction. The caller has checked that
  // it fits (epoch, from_seq).
  Result<ApplyReport> apply(Collection collection, std::string_view epoch, std::int64_t to_seq,
                            std::span<const FeedChange> changes);

  // A snapshot goes beside the live items, part by part, and takes their place in one short
  // transaction. begin() forgets an unfinished one; so does a restart. finish() refuses (refused)
  // when the digest is not the expected one and forgets the parts; the live items then stay.
  // What was replaced is removed by maintain().
  Result<void> snapshot_begin(Collection collection, std::string_view epoch, std::int64_t to_seq);
  Result<ApplyReport> snapshot_add(Collection collection, std::span<const FeedChange> items);
  Result<void> snapshot_finish(Collection collection, const std::optional<Digest>& expected);
  Result<void> snapshot_abort(Collection collection);

  // Forgets the position: the CRM sends everything again, until then the items stay in use. All but
  // these, whose bodies go at once.
  Result<void> distrust(Collection collection, std::span<const std::string> keys = {});

  // not_found when there is none (or it is withheld).
  Result<FeedItem> find(Collection collection, std::string_view key) const;
  Result<std::vector<FeedItem>> of_customer(Collection collection,
                                            const CustomerId& customer) const;

  // Calls fn for every live item, in no particular order. An item whose bytes do not open is
  // skipped and counted in `damaged`.
  struct LoadReport {
    std::size_t loaded = 0;
    std::size_t damaged = 0;
  };
  Result<LoadReport> load(Collection collection, const std::function<void(FeedItem&&)>& fn) const;
  // The same with `brief` in place of `body`, for a start with 100,000 customers. Items that were
  // stored without a brief are left out.
  Result<LoadReport> load_briefs(Collection collection,
                                 const std::function<void(FeedItem&&)>& fn) const;

  Result<std::int64_t> count(Collection collection) const;

 private:
  Context& context_;
};

}  // namespace welcome::store
