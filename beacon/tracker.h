// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tracker: adverts in, identity claims out. Knows the identities of consenting customers and drops
// everybody else's adverts, leaving a count per advert type. Pure: no clock, no I/O, no threads;
// the engine calls it from its own thread.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "beacon/advert.h"
#include "beacon/identity.h"
#include "beacon/ranging.h"
#include "beacon/resolver.h"
#include "core/claim.h"
#include "core/time.h"

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

// Boxes of a store tell each other what they hear as often as this, while somebody is here.
inline constexpr std::chrono::milliseconds kTellEvery{250};

// One box of several in a store. Each stands in a zone, and a customer is in the zone of the boxes
// that hear her best, or in the street where all of them hear her from beyond `door_m`. The boxes
// tell each other what they hear; of those that know a customer one leads, and the others take
// over her zone from it. No clock of another box is ever compared with ours: ages travel, not
// times.
struct StoreConfig {
  std::string box;           // our name; unique within the store
  Zone zone = Zone::inside;  // where we stand
  std::size_t zones = 5;     // the product's; a recording may have more, numbered from `street` on
  std::chrono::milliseconds say_expires{2000};  // what a box said counts for this long
  // A box that meets a customer says nothing of them for this long, in case another box leads
  // already.
  std::chrono::milliseconds listen{600};
};

// What a box says of a customer it knows, as it was when it was said.
struct BoxSay {
  struct Fob {  // an identity that is not an address itself, and the address that sent it
    std::uint64_t identity = 0;
    Address device{};
  };
  std::optional<MonoClock::duration> heard_ago;  // by its own radio; nullopt: too long ago
  double fast_db = 0.0;                          // levels, relative to 1 m; with heard_ago only
  double settled_db = 0.0;
  ClaimSource source = ClaimSource::static_beacon;  // the best proof that it heard itself
  std::optional<Fob> fob;                           // heard in the last seconds; ours to say
  struct Compared {                                 // an identity that we hear, too
    std::uint64_t identity = 0;
    bool same_device = false;  // from the same address
  };
  std::optional<Compared> compared;  // theirs
  bool leads = false;
  Zone fast = Zone::away;  // where she is in the store, in its judgement
  Zone settled = Zone::away;
};

struct TrackerConfig {
  ResolverConfig resolver;
  RangingConfig ranging = RangingConfig::one_box();
  ZoneConfig zones;
  std::chrono::milliseconds away_after{20000};  // not heard for this long = left
  std::chrono::milliseconds refresh{2000};      // unchanged claims are repeated this often
  // An identity that two devices send at once has been copied: for this long it proves nothing.
  std::chrono::seconds copy_doubted{300};
  std::optional<StoreConfig> store;  // nothing: this box is alone

  // A box that agrees on zones with the others of its store.
  static TrackerConfig in_store(StoreConfig store);
};

struct TrackerCounters {
  std::array<std::uint64_t, kAdvertTypes> heard{};  // by AdvertType, strangers and customers
  std::uint64_t reports = 0;
  std::uint64_t identified = 0;  // reports of a known identity
  std::uint64_t discarded = 0;   // reports of everybody else
  std::uint64_t copied = 0;      // reports in doubt: of an identity sent by two devices at once
  std::uint64_t copies = 0;      // how often such a copy was found
  // Reports of a known identity with a value that cannot be (plausible.h): the power at 1 m, for
  // which the default is taken, and the RSSI, which is taken for none.
  std::uint64_t impossible_power = 0;
  std::uint64_t impossible_rssi = 0;
};

class Tracker {
 public:
  explicit Tracker(TrackerConfig config = {});

  // New zones and times, effective at once; what is known of everybody stays.
  void reconfigure(TrackerConfig config);

  // Replaces all identities at once. A customer who is no longer among them is forgotten without
  // a claim: her consent is gone, so nothing may be said about her. Of everybody else all stays as
  // it was.
  void set_identities(std::vector<IdentityKey> identities, const Now& now,
                      const LearntDevices& learnt = {});
  // The same for these customers alone: `identities` are all of theirs.
  void update_identities(const std::unordered_set<CustomerId>& customers,
                         std::vector<IdentityKey> identities, const Now& now,
                         const LearntDevices& learnt = {});
  // So many identities are about to come: what holds them is made large enough at once.
  void expect(std::size_t identities) { resolver_.expect(identities); }
  // What was learnt of devices since the last call, to be given back at the next start.
  std::vector<Resolver::Learnt> take_learnt() { return resolver_.take_learnt(); }
  // Removes from `learnt` the devices that are no longer known, and says which.
  std::vector<std::uint64_t> drop_unknown(LearntDevices& learnt) const;

  // Usually empty; a claim when a zone changed or the last claim is older than `refresh`.
  std::vector<IdentityClaim> handle(const AdvertReport& report, const Now& now);

  // Whose the report just handled was, if anybody's: what a recorder may keep.
  const std::optional<Resolved>& last_match() const { return last_match_; }
  const CustomerId& customer(const Resolved& match) const {
    return resolver_.customer(match.customer);
  }
  // RSSI relative to what this device is heard with at 1 m; nothing where that cannot be said.
  std::optional<double> level_db(const AdvertReport& report, const Resolved& match) const;

  struct Place {
    Zone fast;
    Zone settled;
    std::optional<Distance> distance;  // from this box; nullopt: it cannot be said
  };
  // Where she is, as last claimed; nothing while she is not heard.
  std::optional<Place> place(const CustomerId& customer) const;

  // Leaving, and the key windows, a slice at a time. Call about every 100 ms.
  std::vector<IdentityClaim> tick(const Now& now);

  // With a StoreConfig: what this box has to say to the others, by customer…
  std::vector<std::pair<CustomerId, BoxSay>> say(const Now& now) const;
  // … and what another box said. Only customers whom this box knows too are looked at.
  std::vector<IdentityClaim> hear(const std::string& box, Zone zone, const CustomerId& customer,
                                  const BoxSay& say, const Now& now);
  // Whose identities were found copied since the last call.
  std::vector<CustomerId> take_copied() { return std::exchange(copied_, {}); }
  // That box is gone: what it said no longer counts.
  void forget_box(const std::string& box);
  // With a StoreConfig: whether this box judges for all where she is.
  bool leads(const CustomerId& customer) const;
  // Everybody in reach of this box or, as far as it knows, of another.
  std::vector<CustomerId> present_customers() const;

  const TrackerConfig& config() const { return config_; }
  const TrackerCounters& counters() const { return counters_; }
  const ResolverCounters& resolver_counters() const { return resolver_.counters(); }
  std::size_t identities() const { return resolver_.identities(); }
  std::size_t present() const { return present_.size(); }  // customers in reach
  std::size_t bytes() const;

 private:
  struct Peer {  // another box of the store
    std::string box;
    Zone zone = Zone::away;
  };
  struct Heard {  // what it said last of a customer
    std::size_t peer = 0;
    BoxSay say;
    MonoTime at;
    MonoTime another_since;  // it hears an identity of hers from another device than we …
    MonoTime another;        // … and last said so
  };
  struct InReach {
    SignalLevel fast_level;
    SignalLevel settled_level;
    DistanceBand distance;
    Judge fast;
    Judge settled;
    std::array<MonoTime, 6> heard_by{};  // by ClaimSource, 0 = never
    MonoTime arrived;
    MonoTime heard;      // by any box of the store
    MonoTime heard_own;  // by this one
    MonoTime moving;     // when an app last said that its phone moves
    MonoTime claimed;
    Zone claimed_fast = Zone::away;
    Zone claimed_settled = Zone::away;
    bool leads = false;
    bool led = false;  // by whomever; before that nothing is claimed
    std::vector<Heard> others;
    struct Device {
      std::uint32_t identity = 0;
      std::uint64_t hash = 0;  // device_hash()
      NearestOfVisit nearest;
    };
    std::vector<Device> devices;  // of hers, as heard on this visit
    std::uint64_t fob = 0;  // identity_hash() of what was heard last, unless by its address …
    Address fob_device{};   // … from whom, …
    MonoTime fob_heard;     // … and when
    MonoTime doubted;       // until then the other boxes' proofs do not count either
    bool withdraw = false;  // what was claimed of proofs is to be taken back
  };

  // Which addresses send an identity. A phone that changes its address sends from both for some
  // seconds at most, and never comes back to the old one; two devices do, for as long as both are
  // there. How strong they are says nothing: one phone in a pocket fades by 20 dB and more.
  struct Origin {
    struct Sender {
      Address address{};
      bool legacy = true;  // a phone may send the same in a legacy and in an extended set for ever
      MonoTime first;
      MonoTime last;
    };
    std::array<Sender, 4> senders;
    std::size_t count = 0;
    std::size_t latest = 0;
    int returns = 0;
    MonoTime heard;
    MonoTime doubted;  // until then

    // Whether the report comes from an address that had long been replaced.
    bool returned(const AdvertReport& report, MonoTime at, MonoClock::duration overlap);
    // Since when the address heard last has been the only one.
    MonoTime alone_since() const;
  };

  void place_zones();
  void identities_changed();
  MonoTime doubted_until(const Resolved& match, const AdvertReport& report, MonoTime at);
  void judge(InReach& presence, MonoTime at);
  // Scores by zone; valid until the next call.
  std::span<const double> band_scores(const SignalLevel& level, const SignalConfig& config,
                                      MonoTime at);
  std::span<const double> store_scores(const InReach& presence, bool settled, MonoTime at);
  bool counts(const Heard& heard, MonoTime at) const;
  void range(InReach& presence, const Resolved& match, double level_db, MonoTime at);
  void learn_nearest(const InReach& presence);
  std::optional<IdentityClaim> news(const CustomerId& customer, InReach& presence, MonoTime at);
  void doubt(const CustomerId& customer, Origin& origin, MonoTime at);
  void compare_devices(const CustomerId& customer, Heard& heard);
  bool proved_here(const InReach& presence, ClaimSource source, MonoTime at) const;
  ClaimSource source(const InReach& presence, MonoTime at) const;
  IdentityClaim claim(InReach& presence, MonoTime at) const;

  TrackerConfig config_;
  std::array<double, 5> edges_db_{};  // by Zone: level relative to 1 m at the zone's outer edge
  Resolver resolver_;
  NearestLevels nearest_levels_;  // of the identities loaded now
  TrackerCounters counters_;
  std::vector<double> scores_;
  std::vector<AmplitudeSum> heard_in_;  // by zone; store_scores() fills it
  std::unordered_map<CustomerId, InReach> present_;
  std::vector<Peer> peers_;
  std::vector<CustomerId> copied_;
  std::unordered_map<std::uint64_t, Origin> origins_;  // by identity_hash(), of those heard lately
  std::optional<Resolved> last_match_;
};

}  // namespace welcome::beacon
