// SPDX-License-Identifier: Apache-2.0
#pragma once
// Resolver: which known identity an advert belongs to. Holds the key material of consenting
// customers; everybody else's adverts find nothing here. Pure, one thread, driven by Now.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "beacon/ad.h"
#include "beacon/advert.h"
#include "beacon/aes.h"
#include "beacon/flat_table.h"
#include "beacon/identity.h"
#include "beacon/key_schedule.h"
#include "beacon/learnt_device.h"
#include "core/time.h"

namespace welcome::beacon {

// What an advert was, as far as the parser looks. The only trace of strangers.
enum class AdvertType : std::uint8_t {
  ibeacon,
  altbeacon,
  eddystone_uid,
  eddystone_url,
  eddystone_tlm,
  eddystone_eid,
  exposure_notification,
  find_hub,
  uuid128,
  apple_other,
  manufacturer_data,
  service_data,
  other,
};
inline constexpr std::size_t kAdvertTypes = 13;
std::string_view to_string(AdvertType type);

struct ResolverConfig {
  // A device's clock may be off by this much before it is learnt; at least one window either way.
  std::chrono::seconds clock_drift{15};
  // A device that goes on to the next window or address may send the last one for this long.
  std::chrono::seconds overlap{15};
  std::size_t remembered_addresses = 32768;  // resolvable addresses, found and not found
  // Tries of addresses against keys per second; above it a new address waits until it is heard
  // again. Keeps a flood of invented addresses from eating the box.
  std::uint32_t key_tries_per_second = 4'000'000;
};

struct ResolverCounters {
  std::uint64_t malformed = 0;           // payloads with a length that runs past their end
  std::uint64_t replayed = 0;            // EIDs and UUIDs of a window that is over: no proof
  std::uint64_t old_addresses = 0;       // reports of a resolvable address first heard long ago
  std::uint64_t addresses_tried = 0;     // new resolvable addresses tried against all keys
  std::uint64_t addresses_deferred = 0;  // … put off by key_tries_per_second
};

struct Resolved {
  std::uint32_t identity;  // index, valid until the identities change
  std::uint32_t customer;  // index, valid until the identities change
  IdentityKind kind;
  std::optional<std::int8_t> power_1m_dbm;  // calibration or frame; nullopt = unknown
  bool distance_known = true;               // false: the frame says that its power means nothing
  bool impossible_power = false;            // calibration or frame say what cannot be
  bool moving = false;                      // the app says that the phone moves (docs/ble.md)
  // Somebody may have recorded it: a resolvable address first heard long ago, or an EID or UUID of
  // the window before the one that this device has sent for a while.
  bool recorded = false;
};

class Resolver {
 public:
  explicit Resolver(ResolverConfig config = {});

  // Replaces all identities; what stays the same keeps its state, and what is new has what was
  // learnt of it before. Windows of new ones are computed by refresh(), in slices.
  void set(std::vector<IdentityKey> identities, const Now& now, const LearntDevices& learnt = {});
  // The same for these customers alone: `identities` are all of theirs.
  void update(const std::unordered_set<CustomerId>& customers, std::vector<IdentityKey> identities,
              const Now& now, const LearntDevices& learnt = {});

  // `type` says what the advert was, whoever sent it.
  std::optional<Resolved> resolve(const AdvertReport& report, const Now& now, AdvertType& type);

  // Computes at most that many windows of rotating identities; true when all are up to date.
  bool refresh(const Now& now, unsigned windows);

  const CustomerId& customer(std::uint32_t index) const { return customers_[index].id; }
  // Of the CRM's id of an identity: the same in every box.
  std::uint64_t identity_hash(std::uint32_t index) const { return identities_[index].id_hash; }
  // Of that id and the key.
  std::uint64_t device_hash(std::uint32_t index) const { return identities_[index].content_hash; }
  NearestLevel nearest(std::uint32_t index) const { return identities_[index].nearest; }
  void set_nearest(std::uint32_t index, NearestLevel nearest);

  struct Learnt {
    CustomerId customer;
    std::uint64_t device = 0;  // device_hash()
    LearntDevice what;
  };
  // What was learnt since the last call, in no order.
  std::vector<Learnt> take_learnt();
  // So many identities will be known soon.
  void expect(std::size_t identities);
  // Of all that are loaded, each: visit(identity_hash(), device_hash(), nearest()).
  template <class Visit>
  void each_identity(Visit&& visit) const {
    for (const Identity& identity : identities_) {
      if (identity.live) visit(identity.id_hash, identity.content_hash, identity.nearest);
    }
  }

  bool knows(const CustomerId& customer) const;
  std::size_t identities() const { return live_; }
  const ResolverCounters& counters() const { return counters_; }
  std::size_t bytes() const;  // of tables and keys

 private:
  using Known = std::unordered_map<std::uint64_t, std::uint32_t>;  // id hash → identity

  struct Customer {
    CustomerId id;
    std::uint32_t identities = 0;
    std::uint32_t tag = 0;  // of the id: most others are passed over without a look at theirs
  };
  struct Identity {
    std::uint64_t id_hash = 0;
    std::uint64_t content_hash = 0;
    std::uint32_t customer = 0;
    std::uint32_t detail = 0;  // index in rotating_, irks_ or statics_
    IdentityKind kind = IdentityKind::eddystone_eid;
    std::int8_t power_1m_dbm = kNoTxPower;
    bool live = false;
    NearestLevel nearest;
  };
  struct Rotating {
    Block key{};
    std::int64_t clock_zero_s = 0;
    std::int64_t slew_from_s = 0;  // when the offset was last learnt
    std::int32_t offset_s = 0;     // learnt: the device's clock is ahead by this
    std::uint32_t identity = 0;
    std::int64_t first = 0;  // windows [first, end) are in the table
    std::int64_t end = 0;
    // The newest window heard, its low half, and when first, in seconds; 0: none yet.
    std::uint32_t newest = 0;
    std::uint32_t newest_s = 0;
    std::uint8_t exponent = 0;

    Rotating() = default;
    Rotating(const Rotating&) = default;
    Rotating& operator=(const Rotating&) = default;
    ~Rotating();
  };
  struct Irk {
    Aes128 key;
    std::uint32_t identity;
  };
  struct Static {
    std::array<std::uint8_t, 20> id;
    std::uint32_t identity;
  };
  // Remembered address: 4 ways to a set, the one not heard for longest is replaced.
  struct Remembered {
    std::uint64_t address = 0;  // 0 = free: never a resolvable address
    std::uint32_t identity = 0;
    std::uint32_t heard_s = 0;
  };

  // `known`: those that `keys` replace.
  void merge(std::vector<IdentityKey> keys, Known known, const LearntDevices& learnt,
             const Now& now);
  std::uint32_t add(IdentityKey&& key, std::uint64_t id_hash, std::uint64_t content_hash,
                    std::uint32_t customer, const LearntDevices& learnt, const Now& now);
  void remove(std::uint32_t index);
  std::size_t expected(std::size_t some, std::size_t all) const;
  void drop_detail(Identity& identity);
  std::uint64_t window_tag(const Rotating& r, bool uuid, std::int64_t window) const;
  std::int64_t window_at(const Rotating& r, const Now& now) const;
  std::int64_t reach(const Rotating& r) const;
  unsigned update_windows(Rotating& r, const Now& now, unsigned budget);
  void learn_clock(Rotating& r, std::int64_t heard, const Now& now);
  bool is_over(Rotating& r, std::uint32_t window, const Now& now) const;

  std::optional<Resolved> find_rotating(std::uint64_t tag, const Uuid128* uuid, const Now& now);
  std::optional<Resolved> find_static(std::span<const std::uint8_t> id, IdentityKind kind) const;
  std::optional<Resolved> find_address(const AdvertReport& report, const Now& now);
  Resolved match(std::uint32_t identity) const;
  Resolved match_address(std::uint32_t identity, const Address& address, const Now& now);

  ResolverConfig config_;
  ResolverCounters counters_;
  std::vector<Customer> customers_;
  std::vector<std::uint32_t> free_customers_;
  std::vector<Identity> identities_;
  std::vector<std::uint32_t> free_identities_;
  std::size_t live_ = 0;
  std::size_t expected_ = 0;  // identities, where more than are known
  // What has something new to be kept: index and device_hash(), should the index go.
  std::unordered_map<std::uint32_t, std::uint64_t> learnt_;

  std::vector<Rotating> rotating_;
  FlatTable windows_;  // first 8 bytes on air → identity, low half of the window's number
  std::size_t cursor_ = 0;
  std::size_t fresh_run_ = 0;  // how many in a row refresh() found up to date

  std::vector<Irk> irks_;
  std::vector<Remembered> remembered_;
  std::unordered_map<std::uint32_t, HeardAddresses> addresses_;  // by identity, of those heard
  double tries_left_ = 0;
  MonoTime tries_at_;

  std::vector<Static> statics_;
  FlatTable static_index_;
};

}  // namespace welcome::beacon
