#pragma once
// Tracker: adverts in, identity claims out. Knows the identities of consenting customers and drops
// everybody else's adverts, leaving a count per advert type. Pure: no clock, no I/O, no threads;
// the engine calls it from its own thread.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "beacon/advert.h"
#include "beacon/identity.h"
#include "firmware/core/claim.h"
#include "firmware/core/time.h"

namespace welcome::beacon {

// One box on its own: zones are bands of distance from it.
struct ZoneConfig {
  // Outer edge of each zone in metres by log-distance path loss; further than street is away.
  double desk_m = 2.5;
  double inside_m = 6.0;
  double door_m = 10.0;
  double street_m = 30.0;
  double path_loss_exponent = 2.2;
  std::int8_t default_power_1m_dbm = -59;  // for a device that does not say
  double hysteresis_db = 3.0;              // how far outside its zone before she has left it
  std::chrono::milliseconds settle{6000};  // how long a new zone must hold to be `settled`
};

struct TrackerConfig {
  ZoneConfig zones;
  std::chrono::milliseconds away_after{20000};  // not heard for this long = left
  std::chrono::milliseconds refresh{2000};      // unchanged claims are repeated this often
};

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
  apple_other,
  service_data,
  manufacturer_data,
  other,
  malformed,
};
inline constexpr std::size_t kAdvertTypes = 13;
std::string_view to_string(AdvertType type);

struct TrackerCounters {
  std::array<std::uint64_t, kAdvertTypes> heard{};  // by AdvertType, strangers and customers
  std::uint64_t reports = 0;
  std::uint64_t identities = 0;  // reports that belong to a known identity
  std::uint64_t discarded = 0;   // reports of everybody else
};

class Tracker {
 public:
  explicit Tracker(TrackerConfig config = {});
  ~Tracker();
  Tracker(Tracker&&) noexcept;
  Tracker& operator=(Tracker&&) noexcept;

  // Replaces all identities at once. Customers that are no longer among them are forgotten without
  // a claim: their consent is gone, so nothing may be said about them.
  void set_identities(std::vector<IdentityKey> identities, const Now& now);

  // Usually empty; one claim when a zone changed or the last claim is older than `refresh`.
  std::vector<IdentityClaim> handle(const AdvertReport& report, const Now& now);

  // Leaving, and the refresh of key windows a slice at a time. Call about every 100 ms.
  std::vector<IdentityClaim> tick(const Now& now);

  const TrackerCounters& counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::beacon
