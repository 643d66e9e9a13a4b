// SPDX-License-Identifier: Apache-2.0
#pragma once
// KeyDoubts: notices keys that do not fit the devices they are said to belong to, by what is heard
// and belongs to nobody: an IRK whose bytes were written the wrong way round, an EID device whose
// clock has begun again with a new battery. Works in slices, while there is anything unknown to
// explain. Only says so: to believe it is a person's decision, because who has recorded a device's
// first days can play them. Holds keys, wiped when they go; one thread, driven by Now.

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "beacon/advert.h"
#include "beacon/identity.h"
#include "beacon/key_schedule.h"
#include "core/time.h"

namespace welcome::beacon {

class KeyDoubts {
 public:
  enum class Kind : std::uint8_t { reversed_irk, clock_began_anew };
  struct Doubt {
    Kind kind = Kind::reversed_irk;
    CustomerId customer;
    std::uint64_t identity = 0;  // identity_tag(), one of theirs
    WallTime clock_zero;         // clock_began_anew: when
  };
  static std::uint64_t identity_tag(std::string_view identity);

  // As Tracker's.
  void set(const std::vector<IdentityKey>& keys);
  void update(const std::unordered_set<CustomerId>& customers,
              const std::vector<IdentityKey>& keys);

  // A report that belongs to nobody known.
  void unknown(const AdvertReport& report, const Now& now);
  void work(const Now& now);  // about every 50 ms; well under 1 ms
  std::vector<Doubt> take();  // each identity's once

  // Whose clock reads what, where it has been heard in the last minutes: looks through all clocks
  // that a device may have, which takes up to a second. For a person who asks.
  std::optional<WallTime> clock_zero_of(const IdentityKey& key, const Now& now) const;

 private:
  struct Key {
    Block key{};
    CustomerId customer;
    std::uint64_t customer_tag = 0;  // is looked for faster
    std::uint64_t identity = 0;
    std::int64_t clock_zero_s = 0;
    std::uint8_t exponent = 0;

    Key() = default;
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    ~Key();
  };
  struct HeardEid {
    Eid eid{};
    MonoTime at;
    std::int64_t wall_s = 0;
  };
  struct HeardAddress {
    Address address{};
    MonoTime at;
  };
  struct Suspect {
    Address address{};
    MonoTime at;
  };

  void add(const IdentityKey& key);
  void forget_old(const Now& now);
  void try_reversed(const Key& irk, const Now& now);
  // Of the windows from `first` that a clock would have now which began again.
  // When the clock of that key was 0, if it makes what was heard in one of these windows.
  std::optional<WallTime> zero_within(const Block& key, unsigned exponent, std::int64_t first,
                                      std::int64_t end) const;
  void say(Kind kind, const Key& key, WallTime clock_zero);

  std::vector<Key> irks_;
  std::vector<Key> eids_;
  std::size_t next_irk_ = 0;
  std::size_t next_eid_ = 0;
  std::int64_t next_window_ = 0;
  std::vector<HeardEid> unknown_eids_;                   // a few, the latest
  std::vector<HeardAddress> unknown_addresses_;          // a few, the latest
  std::unordered_map<std::uint64_t, Suspect> suspects_;  // by identity: one address fits
  std::unordered_set<std::uint64_t> said_;
  std::vector<Doubt> doubts_;
};

}  // namespace welcome::beacon
