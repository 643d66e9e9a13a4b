// SPDX-License-Identifier: Apache-2.0
#include "beacon/tracker.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <unordered_set>

#include "beacon/plausible.h"

namespace welcome::beacon {
namespace {

// Key windows computed in one tick: about a millisecond's work.
constexpr unsigned kWindowsPerTick = 1500;

// Two devices by turns: so often from an address that another had long replaced. An address that
// was silent for this long is forgotten.
constexpr int kCopyReturns = 3;
constexpr MonoClock::duration kSenderGone = std::chrono::seconds{60};

// An app that says "moving" is believed for this long; then settled needs this share of the
// evidence.
constexpr MonoClock::duration kMoving = std::chrono::seconds{3};
constexpr double kMovingEvidence = 0.25;

// Two boxes hear one identity from two devices: for longer than a change of address overlaps, with
// no longer pause.
constexpr MonoClock::duration kElsewherePause = std::chrono::seconds{3};
constexpr MonoClock::duration kFobFresh = std::chrono::seconds{2};

// In an extended report's event type: a legacy PDU (Core 5.4, Vol 4, Part E, 7.7.65.13).
constexpr std::uint16_t kLegacyPdu = 0x10;

constexpr MonoTime kNever{MonoClock::duration::min()};

ClaimSource source_of(const Resolved& match) {
  if (match.recorded) return ClaimSource::static_beacon;
  switch (match.kind) {
    case IdentityKind::eddystone_eid:
      return ClaimSource::eddystone_eid;
    case IdentityKind::rotating_uuid:
      return ClaimSource::rotating_uuid;
    case IdentityKind::irk:
      return ClaimSource::resolvable_address;
    case IdentityKind::ibeacon:
    case IdentityKind::altbeacon:
    case IdentityKind::eddystone_uid:
      break;
  }
  return ClaimSource::static_beacon;
}

constexpr std::array kProofs{ClaimSource::eddystone_eid, ClaimSource::rotating_uuid,
                             ClaimSource::resolvable_address};

constexpr std::size_t kNode = 64;  // bytes of a map's entry beside its value

constexpr std::size_t kZones = 5;
constexpr double kNowhere = -1000.0;  // score of a zone where nobody can be

}  // namespace

TrackerConfig TrackerConfig::in_store(StoreConfig store) {
  TrackerConfig config;
  config.store = std::move(store);
  config.ranging = RangingConfig::several_boxes();
  // Levels are relative to 1 m here, and silence with them.
  config.ranging.fast_level.silence_dbm -= config.zones.default_power_1m_dbm;
  config.ranging.settled_level.silence_dbm -= config.zones.default_power_1m_dbm;
  return config;
}

Tracker::Tracker(TrackerConfig config) : config_(std::move(config)), resolver_(config_.resolver) {
  place_zones();
}

void Tracker::reconfigure(TrackerConfig config) {
  config_ = std::move(config);
  place_zones();
}

void Tracker::place_zones() {
  scores_.assign(config_.store ? config_.store->zones : kZones, 0.0);
  const auto edge = [&](double metres) {
    return -10.0 * config_.zones.path_loss_exponent * std::log10(metres);
  };
  const auto at = [&](Zone zone) -> double& { return edges_db_[static_cast<std::size_t>(zone)]; };
  at(Zone::desk) = edge(config_.zones.desk_m);
  at(Zone::inside) = edge(config_.zones.inside_m);
  at(Zone::door) = edge(config_.zones.door_m);
  at(Zone::street) = edge(config_.zones.street_m);
  at(Zone::away) = -std::numeric_limits<double>::infinity();
}

void Tracker::set_identities(std::vector<IdentityKey> identities, const Now& now,
                             const LearntDevices& learnt) {
  resolver_.set(std::move(identities), now, learnt);
  identities_changed();
  std::erase_if(present_, [&](const auto& entry) { return !resolver_.knows(entry.first); });
}

void Tracker::update_identities(const std::unordered_set<CustomerId>& customers,
                                std::vector<IdentityKey> identities, const Now& now,
                                const LearntDevices& learnt) {
  resolver_.update(customers, std::move(identities), now, learnt);
  identities_changed();
  for (const CustomerId& customer : customers) {
    if (present_.contains(customer) && !resolver_.knows(customer)) present_.erase(customer);
  }
}

void Tracker::identities_changed() {
  nearest_levels_ = {};
  std::unordered_set<std::uint64_t> known;
  resolver_.each_identity([&](std::uint64_t identity, std::uint64_t, NearestLevel nearest) {
    nearest_levels_.add(nearest);
    if (origins_.contains(identity)) known.insert(identity);
  });
  std::erase_if(origins_, [&](const auto& entry) { return !known.contains(entry.first); });
}

std::vector<IdentityClaim> Tracker::handle(const AdvertReport& report, const Now& now) {
  ++counters_.reports;
  AdvertType type = AdvertType::other;
  const auto match = resolver_.resolve(report, now, type);
  ++counters_.heard[static_cast<std::size_t>(type)];
  last_match_ = match;
  if (!match) {
    ++counters_.discarded;
    return {};
  }
  ++counters_.identified;
  if (match->impossible_power) ++counters_.impossible_power;
  if (report.rssi_dbm != kNoRssi && !is_possible_rssi(report.rssi_dbm)) {
    ++counters_.impossible_rssi;
  }
  const CustomerId& customer = resolver_.customer(match->customer);
  const auto [it, arrived] = present_.try_emplace(customer);
  InReach& presence = it->second;
  if (arrived) {
    presence.heard_by.fill(kNever);
    presence.arrived = now.mono;
    presence.claimed = presence.moving = kNever;
    presence.fob_heard = kNever;
  }
  // What is in doubt proves nothing, but she is heard all the same: the visit goes on.
  ClaimSource source = source_of(*match);
  if (const auto until = doubted_until(*match, report, now.mono); now.mono < until) {
    ++counters_.copied;
    source = ClaimSource::static_beacon;
    presence.doubted = std::max(presence.doubted, until);
  }
  presence.heard_own = std::max(presence.heard_own, now.mono);
  presence.heard = std::max(presence.heard, now.mono);
  presence.heard_by[static_cast<std::size_t>(source)] = now.mono;
  if (match->moving) presence.moving = now.mono;
  if (match->kind != IdentityKind::irk) {
    presence.fob = resolver_.identity_hash(match->identity);
    presence.fob_device = report.address;
    presence.fob_heard = now.mono;
  }
  if (const auto level = level_db(report, *match)) {
    range(presence, *match, *level, now.mono);
  }
  std::vector<IdentityClaim> out;
  if (auto claim = news(customer, presence, now.mono)) out.push_back(std::move(*claim));
  return out;
}

void Tracker::range(InReach& presence, const Resolved& match, double level_db, MonoTime at) {
  presence.fast_level.hear(config_.ranging.fast_level, level_db, at);
  presence.settled_level.hear(config_.ranging.settled_level, level_db, at);
  // Zones do without the device's offset: between boxes it cancels out, and the borders of one box
  // are those of its walk test.
  presence.distance.hear({.path_loss_exponent = config_.zones.path_loss_exponent},
                         level_db - nearest_levels_.offset_db(resolver_.nearest(match.identity)),
                         at);
  const std::uint64_t hash = resolver_.device_hash(match.identity);
  auto device = std::find_if(presence.devices.begin(), presence.devices.end(),
                             [&](const auto& known) { return known.hash == hash; });
  if (device == presence.devices.end()) {
    device = presence.devices.insert(device, {match.identity, hash, {}});
  }
  device->nearest.hear(level_db, at);
}

void Tracker::learn_nearest(const InReach& presence) {
  for (const auto& device : presence.devices) {
    const auto level = device.nearest.level_db();
    if (!level || resolver_.device_hash(device.identity) != device.hash) continue;
    NearestLevel nearest = resolver_.nearest(device.identity);
    nearest_levels_.remove(nearest);
    nearest.learn(*level);
    nearest_levels_.add(nearest);
    resolver_.set_nearest(device.identity, nearest);
  }
}

std::vector<std::uint64_t> Tracker::drop_unknown(LearntDevices& learnt) const {
  std::unordered_set<std::uint64_t> known;
  resolver_.each_identity([&](std::uint64_t, std::uint64_t device, NearestLevel) {
    if (learnt.contains(device)) known.insert(device);
  });
  std::vector<std::uint64_t> dropped;
  std::erase_if(learnt, [&](const auto& entry) {
    if (known.contains(entry.first)) return false;
    dropped.push_back(entry.first);
    return true;
  });
  return dropped;
}

// Where she is, if that is new or was not said for a while.
std::optional<IdentityClaim> Tracker::news(const CustomerId& customer, InReach& presence,
                                           MonoTime at) {
  judge(presence, at);
  if (config_.store && !presence.led) return std::nullopt;
  const auto fast = static_cast<Zone>(presence.fast.zone());
  const auto settled = static_cast<Zone>(presence.settled.zone());
  if (!presence.withdraw && presence.claimed != kNever && fast == presence.claimed_fast &&
      settled == presence.claimed_settled && at - presence.claimed < config_.refresh) {
    return std::nullopt;
  }
  IdentityClaim out = claim(presence, at);
  out.customer = customer;
  return out;
}

std::optional<double> Tracker::level_db(const AdvertReport& report, const Resolved& match) const {
  if (!match.distance_known || !is_possible_rssi(report.rssi_dbm)) return std::nullopt;
  const double power = match.power_1m_dbm ? static_cast<double>(*match.power_1m_dbm)
                                          : config_.zones.default_power_1m_dbm;
  return static_cast<double>(report.rssi_dbm) - power;
}

std::optional<Tracker::Place> Tracker::place(const CustomerId& customer) const {
  const auto found = present_.find(customer);
  if (found == present_.end()) return std::nullopt;
  const InReach& presence = found->second;
  return Place{presence.claimed_fast, presence.claimed_settled, presence.distance.distance()};
}

MonoTime Tracker::doubted_until(const Resolved& match, const AdvertReport& report, MonoTime at) {
  if (match.kind == IdentityKind::irk) return {};  // there the address is the proof
  Origin& origin = origins_[resolver_.identity_hash(match.identity)];
  origin.heard = at;
  if (origin.returned(report, at, config_.resolver.overlap)) {
    doubt(resolver_.customer(match.customer), origin, at);
  }
  return origin.doubted;
}

bool Tracker::Origin::returned(const AdvertReport& report, MonoTime at,
                               MonoClock::duration overlap) {
  const bool legacy = !report.extended || (report.event_type & kLegacyPdu) != 0;
  const std::span known(senders.data(), count);
  const auto it = std::find_if(known.begin(), known.end(), [&](const Sender& sender) {
    return sender.address == report.address && sender.legacy == legacy &&
           at - sender.last <= kSenderGone;
  });
  const bool by_turns = latest != static_cast<std::size_t>(it - known.begin());
  latest = static_cast<std::size_t>(it - known.begin());
  if (it == known.end()) {
    if (count < senders.size()) {
      ++count;
    } else {
      latest = static_cast<std::size_t>(
          std::min_element(senders.begin(), senders.end(),
                           [](const Sender& a, const Sender& b) { return a.last < b.last; }) -
          senders.begin());
    }
    senders[latest] = {report.address, legacy, at, at};
    return false;
  }
  it->last = at;
  const bool replaced = std::any_of(known.begin(), known.end(), [&](const Sender& other) {
    return &other != &*it && other.legacy == legacy && other.first >= it->first &&
           at - other.first > overlap && at - other.last <= kSenderGone;
  });
  if (!by_turns || !replaced) return false;
  return ++returns >= kCopyReturns;
}

MonoTime Tracker::Origin::alone_since() const {
  MonoTime since = senders[latest].first;
  for (std::size_t i = 0; i < count; ++i) {
    if (i != latest) since = std::max(since, senders[i].last);
  }
  return since;
}

void Tracker::doubt(const CustomerId& customer, Origin& origin, MonoTime at) {
  const bool fresh = at >= origin.doubted;
  origin.doubted = at + config_.copy_doubted;
  InReach& presence = present_.at(customer);
  presence.doubted = std::max(presence.doubted, origin.doubted);
  if (!fresh) return;
  ++counters_.copies;
  copied_.push_back(customer);
  for (const ClaimSource proof : kProofs) {
    presence.heard_by[static_cast<std::size_t>(proof)] = kNever;
  }
  presence.withdraw = true;
}

// A phone that changes its address is heard from the old one by one box and from the new one by
// another for a moment; two devices for as long as both are there.
void Tracker::compare_devices(const CustomerId& customer, Heard& heard) {
  const MonoTime at = heard.at;
  if (!heard.say.compared) return;
  if (heard.say.compared->same_device) {
    heard.another = kNever;
    return;
  }
  if (heard.another == kNever || at - heard.another > kElsewherePause) heard.another_since = at;
  heard.another = at;
  const auto origin = origins_.find(heard.say.compared->identity);
  if (origin == origins_.end() || at - origin->second.heard >= kFobFresh) return;
  const MonoTime since = std::max(heard.another_since, origin->second.alone_since());
  if (at - since > config_.resolver.overlap) doubt(customer, origin->second, at);
}

std::span<const double> Tracker::band_scores(const SignalLevel& level, const SignalConfig& config,
                                             MonoTime at) {
  const auto db = level.at(config, at);
  // A zone scores 0 inside its band and loses what the level is outside of it. Heard is not away.
  for (std::size_t zone = 0; zone < kZones; ++zone) {
    const double outer = edges_db_[zone];
    const double inner =
        zone + 1 < kZones ? edges_db_[zone + 1] : std::numeric_limits<double>::infinity();
    if (!db) {
      // No distance can be said: the outermost zone, which promises least.
      scores_[zone] = zone == static_cast<std::size_t>(Zone::street) ? 0.0 : kNowhere;
    } else {
      scores_[zone] = -std::max({0.0, outer - *db, *db - inner});
    }
  }
  return scores_;
}

// A zone scores the amplitudes that its boxes hear. She is in the street when even the box that
// hears her best hears her from beyond the door: however many boxes hear her, only that one counts.
std::span<const double> Tracker::store_scores(const InReach& presence, bool settled, MonoTime at) {
  heard_in_.assign(scores_.size(), {});
  double strongest = -std::numeric_limits<double>::infinity();
  const auto add = [&](Zone zone, double db) {
    if (static_cast<std::size_t>(zone) >= heard_in_.size()) return;
    heard_in_[static_cast<std::size_t>(zone)].add(db);
    strongest = std::max(strongest, db);
  };
  const auto& config = settled ? config_.ranging.settled_level : config_.ranging.fast_level;
  const SignalLevel& own = settled ? presence.settled_level : presence.fast_level;
  if (const auto db = own.at(config, at)) add(config_.store->zone, *db);
  for (const Heard& heard : presence.others) {
    if (!counts(heard, at) || !heard.say.heard_ago) continue;
    add(peers_[heard.peer].zone, settled ? heard.say.settled_db : heard.say.fast_db);
  }
  double best = strongest;
  for (std::size_t zone = 0; zone < scores_.size(); ++zone) {
    scores_[zone] = heard_in_[zone].level_db().value_or(kNowhere);
    best = std::max(best, scores_[zone]);
  }
  const double door = edges_db_[static_cast<std::size_t>(Zone::door)];
  double& street = scores_[static_cast<std::size_t>(Zone::street)];
  street = std::max(street, std::isfinite(strongest) ? door + best - strongest : door);
  return scores_;
}

bool Tracker::counts(const Heard& heard, MonoTime at) const {
  return at - heard.at < config_.store->say_expires;
}

void Tracker::judge(InReach& presence, MonoTime at) {
  JudgeConfig settled = config_.ranging.settled;
  if (presence.moving != kNever && at - presence.moving < kMoving) {
    settled.evidence_db_s *= kMovingEvidence;
  }
  if (!config_.store) {
    presence.fast.judge(config_.ranging.fast,
                        band_scores(presence.fast_level, config_.ranging.fast_level, at), at);
    presence.settled.judge(
        settled, band_scores(presence.settled_level, config_.ranging.settled_level, at), at);
    return;
  }
  // One box leads. Of two that both do, which happens when the line between them was down, the
  // first by name goes on; of two that meet her at the same moment, the first by name begins.
  const Heard* leader = nullptr;
  bool first = true;
  for (const Heard& heard : presence.others) {
    if (!counts(heard, at)) continue;
    if (peers_[heard.peer].box < config_.store->box) first = false;
    if (!heard.say.leads) continue;
    if (leader == nullptr || peers_[heard.peer].box < peers_[leader->peer].box) leader = &heard;
  }
  if (leader != nullptr && (!presence.leads || peers_[leader->peer].box < config_.store->box)) {
    presence.leads = false;
    presence.led = true;
    presence.fast.adopt(static_cast<int>(leader->say.fast), at);
    presence.settled.adopt(static_cast<int>(leader->say.settled), at);
    return;
  }
  // Whoever leads already has had the time to say so, and whoever comes first to begin.
  if (at - presence.arrived >= (first ? config_.store->listen : config_.store->say_expires)) {
    presence.leads = presence.led = true;
  }
  presence.fast.judge(config_.ranging.fast, store_scores(presence, false, at), at);
  presence.settled.judge(settled, store_scores(presence, true, at), at);
}

bool Tracker::proved_here(const InReach& presence, ClaimSource source, MonoTime at) const {
  const MonoTime heard = presence.heard_by[static_cast<std::size_t>(source)];
  return heard != kNever && at - heard < config_.away_after;
}

// The best proof heard lately: a device that cannot be copied counts before one that can.
ClaimSource Tracker::source(const InReach& presence, MonoTime at) const {
  for (const ClaimSource source : kProofs) {
    if (proved_here(presence, source, at)) return source;
    if (at < presence.doubted) continue;
    for (const Heard& other : presence.others) {
      if (other.say.heard_ago && other.say.source == source && counts(other, at)) return source;
    }
  }
  return ClaimSource::static_beacon;
}

IdentityClaim Tracker::claim(InReach& presence, MonoTime at) const {
  IdentityClaim out;
  out.source = source(presence, at);
  out.fast = static_cast<Zone>(presence.fast.zone());
  out.settled = static_cast<Zone>(presence.settled.zone());
  out.doubted = std::exchange(presence.withdraw, false);
  out.at = at;
  presence.claimed = at;
  presence.claimed_fast = out.fast;
  presence.claimed_settled = out.settled;
  return out;
}

std::vector<IdentityClaim> Tracker::tick(const Now& now) {
  resolver_.refresh(now, kWindowsPerTick);
  std::erase_if(origins_, [&](const auto& entry) {
    const Origin& origin = entry.second;
    return now.mono - origin.heard > kSenderGone && now.mono >= origin.doubted;
  });
  std::vector<IdentityClaim> out;
  for (auto it = present_.begin(); it != present_.end();) {
    InReach& presence = it->second;
    if (now.mono - presence.heard < config_.away_after) {
      // What another box said may have stopped to count.
      if (config_.store) {
        if (now.mono - presence.heard_own >= config_.away_after) presence.distance = {};
        if (auto claim = news(it->first, presence, now.mono)) out.push_back(std::move(*claim));
      }
      ++it;
      continue;
    }
    learn_nearest(presence);
    IdentityClaim left;
    left.customer = it->first;
    left.source = source(presence, presence.heard);
    left.at = now.mono;
    out.push_back(std::move(left));
    it = present_.erase(it);
  }
  // The map's order is not the same on every machine; a replay must be.
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.customer < b.customer; });
  return out;
}

bool Tracker::leads(const CustomerId& customer) const {
  const auto found = present_.find(customer);
  return found != present_.end() && found->second.leads;
}

std::vector<CustomerId> Tracker::present_customers() const {
  std::vector<CustomerId> out;
  out.reserve(present_.size());
  for (const auto& [customer, presence] : present_) out.push_back(customer);
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::pair<CustomerId, BoxSay>> Tracker::say(const Now& now) const {
  std::vector<std::pair<CustomerId, BoxSay>> out;
  for (const CustomerId& customer : present_customers()) {
    const InReach& presence = present_.at(customer);
    BoxSay say;
    if (now.mono - presence.heard_own < config_.away_after) {
      const auto& ranging = config_.ranging;
      say.heard_ago = std::max(MonoClock::duration{0}, now.mono - presence.heard_own);
      say.fast_db = presence.fast_level.at(ranging.fast_level, now.mono)
                        .value_or(ranging.fast_level.silence_dbm);
      say.settled_db = presence.settled_level.at(ranging.settled_level, now.mono)
                           .value_or(ranging.settled_level.silence_dbm);
    }
    for (const ClaimSource proof : kProofs) {
      if (!proved_here(presence, proof, now.mono)) continue;
      say.source = proof;
      break;
    }
    if (presence.fob_heard != kNever && now.mono - presence.fob_heard < kFobFresh) {
      say.fob = BoxSay::Fob{presence.fob, presence.fob_device};
    }
    say.leads = presence.leads;
    say.fast = static_cast<Zone>(std::max(0, presence.fast.zone()));
    say.settled = static_cast<Zone>(std::max(0, presence.settled.zone()));
    out.emplace_back(customer, say);
  }
  return out;
}

std::vector<IdentityClaim> Tracker::hear(const std::string& box, Zone zone,
                                         const CustomerId& customer, const BoxSay& say,
                                         const Now& now) {
  std::vector<IdentityClaim> out;
  const auto it = present_.find(customer);
  if (!config_.store || it == present_.end()) return out;
  InReach& presence = it->second;
  auto peer = std::find_if(peers_.begin(), peers_.end(),
                           [&](const Peer& known) { return known.box == box; });
  if (peer == peers_.end()) peer = peers_.insert(peer, {box, zone});
  peer->zone = zone;
  const auto index = static_cast<std::size_t>(peer - peers_.begin());
  auto heard = std::find_if(presence.others.begin(), presence.others.end(),
                            [&](const Heard& known) { return known.peer == index; });
  if (heard == presence.others.end()) {
    heard = presence.others.insert(heard, {index, {}, {}, kNever, kNever});
  }
  heard->say = say;
  heard->at = now.mono;
  compare_devices(customer, *heard);
  // An age that is not one keeps nobody here.
  if (say.heard_ago && *say.heard_ago >= MonoClock::duration{0}) {
    presence.heard = std::max(presence.heard, now.mono - *say.heard_ago);
  }
  // Who leads is followed at once; what the others hear is judged with the next tick.
  if (!say.leads) return out;
  if (auto claim = news(customer, presence, now.mono)) out.push_back(std::move(*claim));
  return out;
}

void Tracker::forget_box(const std::string& box) {
  for (auto& [customer, presence] : present_) {
    std::erase_if(presence.others,
                  [&](const Heard& heard) { return peers_[heard.peer].box == box; });
  }
}

std::size_t Tracker::bytes() const {
  std::size_t sum = resolver_.bytes() + peers_.capacity() * sizeof(Peer);
  sum += present_.size() * (sizeof(InReach) + kNode) + origins_.size() * (sizeof(Origin) + kNode);
  for (const auto& [customer, presence] : present_) {
    sum += presence.others.capacity() * sizeof(Heard);
    sum += presence.devices.capacity() * sizeof(InReach::Device);
  }
  return sum;
}

}  // namespace welcome::beacon
