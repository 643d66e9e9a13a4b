#include "beacon/tracker.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace welcome::beacon {
namespace {

// Key windows computed in one tick: about a millisecond's work.
constexpr unsigned kWindowsPerTick = 1500;

// Two devices by turns: back to the address before within this time, so many times in a row.
constexpr MonoClock::duration kCopyTurn = std::chrono::seconds{10};
constexpr int kCopyReturns = 4;

constexpr MonoTime kNever{MonoClock::duration::min()};

ClaimSource source_of(IdentityKind kind) {
  switch (kind) {
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

constexpr std::size_t kZones = 5;

}  // namespace

Tracker::Tracker(TrackerConfig config) : config_(config), resolver_(config.resolver) {
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

void Tracker::set_identities(std::vector<IdentityKey> identities, const Now& now) {
  resolver_.set(std::move(identities), now);
  origins_.clear();
  std::erase_if(present_, [&](const auto& entry) { return !resolver_.knows(entry.first); });
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
  if (is_copied(*match, report, now.mono)) {
    ++counters_.copied;
    return {};
  }

  const CustomerId& customer = resolver_.customer(match->customer);
  const auto [it, arrived] = present_.try_emplace(customer);
  Presence& presence = it->second;
  if (arrived) presence.heard_by.fill(kNever);
  presence.heard = std::max(presence.heard, now.mono);
  presence.heard_by[static_cast<std::size_t>(source_of(match->kind))] = now.mono;
  if (const auto level = level_db(report, *match)) {
    presence.fast_level.hear(config_.ranging.fast_level, *level, now.mono);
    presence.settled_level.hear(config_.ranging.settled_level, *level, now.mono);
    presence.located = true;
  }
  judge(presence, now.mono);

  const auto fast = static_cast<Zone>(presence.fast.zone());
  const auto settled = static_cast<Zone>(presence.settled.zone());
  if (!arrived && fast == presence.claimed_fast && settled == presence.claimed_settled &&
      now.mono - presence.claimed < config_.refresh) {
    return {};
  }
  std::vector<IdentityClaim> out;
  out.push_back(claim(presence, now.mono));
  out.back().customer = customer;
  return out;
}

std::optional<double> Tracker::level_db(const AdvertReport& report, const Match& match) const {
  if (!match.distance_known || report.rssi_dbm == kNoRssi) return std::nullopt;
  const double power = match.power_1m_dbm ? static_cast<double>(*match.power_1m_dbm)
                                          : config_.zones.default_power_1m_dbm;
  return static_cast<double>(report.rssi_dbm) - power;
}

std::optional<Tracker::Place> Tracker::place(const CustomerId& customer) const {
  const auto found = present_.find(customer);
  if (found == present_.end()) return std::nullopt;
  return Place{found->second.claimed_fast, found->second.claimed_settled};
}

bool Tracker::is_copied(const Match& match, const AdvertReport& report, MonoTime at) {
  if (match.kind == IdentityKind::irk) return false;  // there the address is the proof
  const auto [it, fresh] = origins_.try_emplace(match.identity);
  Origin& origin = it->second;
  if (fresh) origin.address = origin.before = report.address;
  if (report.address != origin.address) {
    const bool back = report.address == origin.before && at - origin.changed < kCopyTurn;
    origin.returns = back ? origin.returns + 1 : 0;
    origin.before = origin.address;
    origin.address = report.address;
    origin.changed = at;
    if (origin.returns >= kCopyReturns) {
      origin.copied = true;
      origin.refused_until = at + config_.copy_refused;
    }
  }
  origin.heard = at;
  if (origin.copied && at >= origin.refused_until) {
    origin.copied = false;
    origin.returns = 0;
  }
  return origin.copied;
}

void Tracker::judge(Presence& presence, MonoTime at) const {
  const auto scores = [&](const Level& level, const LevelConfig& config) {
    std::array<double, kZones> out;
    const auto db = level.at(config, at);
    // A zone scores 0 inside its band and loses what the level is outside of it. Heard is not away.
    for (std::size_t zone = 0; zone < kZones; ++zone) {
      const double outer = edges_db_[zone];
      const double inner =
          zone + 1 < kZones ? edges_db_[zone + 1] : std::numeric_limits<double>::infinity();
      if (!db) {
        // No distance can be said: the outermost zone, which promises least.
        out[zone] = zone == static_cast<std::size_t>(Zone::street) ? 0.0 : -1000.0;
      } else {
        out[zone] = -std::max({0.0, outer - *db, *db - inner});
      }
    }
    return out;
  };
  presence.fast.judge(config_.ranging.fast, scores(presence.fast_level, config_.ranging.fast_level),
                      at);
  presence.settled.judge(config_.ranging.settled,
                         scores(presence.settled_level, config_.ranging.settled_level), at);
}

// The best proof heard lately: a device that cannot be copied counts before one that can.
ClaimSource Tracker::source(const Presence& presence, MonoTime at) const {
  for (const ClaimSource source :
       {ClaimSource::eddystone_eid, ClaimSource::rotating_uuid, ClaimSource::resolvable_address}) {
    const MonoTime heard = presence.heard_by[static_cast<std::size_t>(source)];
    if (heard != kNever && at - heard < config_.away_after) return source;
  }
  return ClaimSource::static_beacon;
}

IdentityClaim Tracker::claim(Presence& presence, MonoTime at) const {
  IdentityClaim out;
  out.source = source(presence, at);
  out.fast = static_cast<Zone>(presence.fast.zone());
  out.settled = static_cast<Zone>(presence.settled.zone());
  out.confidence = !presence.located ? 0.3 : out.fast == out.settled ? 0.9 : 0.6;
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
    return now.mono - origin.heard > kCopyTurn &&
           !(origin.copied && now.mono < origin.refused_until);
  });
  std::vector<IdentityClaim> out;
  for (auto it = present_.begin(); it != present_.end();) {
    Presence& presence = it->second;
    if (now.mono - presence.heard < config_.away_after) {
      ++it;
      continue;
    }
    IdentityClaim left;
    left.customer = it->first;
    left.source = source(presence, presence.heard);
    left.confidence = 0.9;
    left.at = now.mono;
    out.push_back(std::move(left));
    it = present_.erase(it);
  }
  // The map's order is not the same on every machine; a replay must be.
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.customer < b.customer; });
  return out;
}

std::size_t Tracker::bytes() const {
  return resolver_.bytes() + present_.size() * (sizeof(Presence) + 64);
}

}  // namespace welcome::beacon
