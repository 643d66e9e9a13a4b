#pragma once
// Tracker: adverts in, identity claims out. Knows the identities of consenting customers and drops
// everybody else's adverts, leaving a count per advert type. Pure: no clock, no I/O, no threads;
// the engine calls it from its own thread.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "beacon/advert.h"
#include "beacon/identity.h"
#include "beacon/ranging.h"
#include "beacon/resolver.h"
#include "firmware/core/claim.h"
#include "firmware/core/time.h"

namespace welcome::beacon {

// One box on its own: zones are bands of distance from it. Outer edge of each zone in metres by
// log-distance path loss, level = power at 1 m - 10 n log10(d); further out is away.
struct ZoneConfig {
  double desk_m = 2.5;
  double inside_m = 6.0;
  double door_m = 10.0;
  double street_m = 40.0;
  double path_loss_exponent = 2.2;
  double default_power_1m_dbm = -59.0;  // for a device that does not say
};

struct TrackerConfig {
  ResolverConfig resolver;
  RangingConfig ranging = RangingConfig::one_box();
  ZoneConfig zones;
  std::chrono::milliseconds away_after{20000};  // not heard for this long = left
  std::chrono::milliseconds refresh{2000};      // unchanged claims are repeated this often
  // An identity that two devices send by turns has been copied: refused for this long.
  std::chrono::seconds copy_refused{300};
};

struct TrackerCounters {
  std::array<std::uint64_t, kAdvertTypes> heard{};  // by AdvertType, strangers and customers
  std::uint64_t reports = 0;
  std::uint64_t identified = 0;  // reports of a known identity
  std::uint64_t discarded = 0;   // reports of everybody else
  std::uint64_t copied = 0;      // refused: one identity sent by two devices at once
};

class Tracker {
 public:
  explicit Tracker(TrackerConfig config = {});

  // Replaces all identities at once. A customer who is no longer among them is forgotten without
  // a claim: her consent is gone, so nothing may be said about her.
  void set_identities(std::vector<IdentityKey> identities, const Now& now);

  // Usually empty; a claim when a zone changed or the last claim is older than `refresh`.
  std::vector<IdentityClaim> handle(const AdvertReport& report, const Now& now);

  // Whose the report just handled was, if anybody's: what a recorder may keep.
  const std::optional<Match>& last_match() const { return last_match_; }
  const CustomerId& customer(const Match& match) const {
    return resolver_.customer(match.customer);
  }
  // RSSI relative to what this device is heard with at 1 m; nothing where that cannot be said.
  std::optional<double> level_db(const AdvertReport& report, const Match& match) const;

  struct Place {
    Zone fast;
    Zone settled;
  };
  // Where she is, as last claimed; nothing while she is not heard.
  std::optional<Place> place(const CustomerId& customer) const;

  // Leaving, and the key windows, a slice at a time. Call about every 100 ms.
  std::vector<IdentityClaim> tick(const Now& now);

  const TrackerConfig& config() const { return config_; }
  const TrackerCounters& counters() const { return counters_; }
  const ResolverCounters& resolver_counters() const { return resolver_.counters(); }
  std::size_t identities() const { return resolver_.identities(); }
  std::size_t present() const { return present_.size(); }  // customers in reach
  std::size_t bytes() const;

 private:
  struct Presence {
    Level fast_level;
    Level settled_level;
    Judge fast;
    Judge settled;
    std::array<MonoTime, 6> heard_by{};  // by ClaimSource, 0 = never
    MonoTime heard;
    MonoTime claimed;
    Zone claimed_fast = Zone::away;
    Zone claimed_settled = Zone::away;
    bool located = false;  // some report let a distance be computed
  };

  // Which devices send an identity. A phone that changes its address does not come back to the old
  // one; two devices do, again and again.
  struct Origin {
    Address address{};
    Address before{};
    MonoTime heard;
    MonoTime changed;
    int returns = 0;
    bool copied = false;
    MonoTime refused_until;
  };

  bool is_copied(const Match& match, const AdvertReport& report, MonoTime at);
  void judge(Presence& presence, MonoTime at) const;
  ClaimSource source(const Presence& presence, MonoTime at) const;
  IdentityClaim claim(Presence& presence, MonoTime at) const;

  TrackerConfig config_;
  std::array<double, 5> edges_db_{};  // by Zone: level relative to 1 m at the zone's outer edge
  Resolver resolver_;
  TrackerCounters counters_;
  std::unordered_map<CustomerId, Presence> present_;
  std::unordered_map<std::uint32_t, Origin> origins_;  // by identity, of those heard lately
  std::optional<Match> last_match_;
};

}  // namespace welcome::beacon
