// SPDX-License-Identifier: Apache-2.0
#include "core/consent_gate.h"

#include <algorithm>
#include <utility>

namespace welcome {

namespace {

// More than a clock that is being corrected moves at once.
constexpr auto kSetBack = std::chrono::minutes(5);

constexpr std::size_t index(Purpose purpose) { return static_cast<std::size_t>(purpose); }

std::int64_t packed_time(const std::optional<WallTime>& t, std::int64_t none) {
  return t ? t->time_since_epoch().count() : none;
}

std::optional<WallTime> unpacked_time(std::int64_t ms, std::int64_t none) {
  if (ms == none) return std::nullopt;
  return WallTime{std::chrono::milliseconds{ms}};
}

}  // namespace

ConsentGate::ConsentGate() : ConsentGate([](const CustomerId& c) { return c.str(); }) {}

ConsentGate::ConsentGate(TombstoneKey tombstone_key) : tombstone_key_(std::move(tombstone_key)) {}

ConsentGate::Packed ConsentGate::pack(const ConsentStanding& s) {
  return {packed_time(s.given_at, Packed::kNone), packed_time(s.withdrawn_at, Packed::kNone),
          packed_time(s.expires_at, Packed::kNone)};
}

ConsentStanding ConsentGate::unpack(const Packed& p) {
  return {unpacked_time(p.given, Packed::kNone), unpacked_time(p.withdrawn, Packed::kNone),
          unpacked_time(p.expires, Packed::kNone)};
}

bool ConsentGate::put(const ConsentRecord& record) {
  if (forgotten(record.customer)) return false;
  Packed& packed = people_[record.customer].purposes[index(record.purpose)];
  ConsentStanding merged = unpack(packed).merge(welcome::standing(record));
  if (merged.given() && merged.expires_at) expiries_.push(*merged.expires_at);
  packed = pack(merged);
  return true;
}

void ConsentGate::remove(const CustomerId& customer, Purpose purpose) {
  auto it = people_.find(customer);
  if (it == people_.end()) return;
  Packed& packed = it->second.purposes[index(purpose)];
  packed.given = Packed::kNone;
  packed.expires = Packed::kNone;
  // Of whom nothing is known not even the name stays.
  const auto& all = it->second.purposes;
  if (std::all_of(all.begin(), all.end(), [](const Packed& one) {
        return one.given == Packed::kNone && one.withdrawn == Packed::kNone;
      })) {
    people_.erase(it);
  }
}

void ConsentGate::forget(const CustomerId& customer) {
  people_.erase(customer);
  tombstones_.insert(tombstone_key_(customer));
}

bool ConsentGate::forgotten(const CustomerId& customer) const {
  return !tombstones_.empty() && tombstones_.contains(tombstone_key_(customer));
}

void ConsentGate::restore_tombstones(const std::vector<std::string>& keys) {
  tombstones_.insert(keys.begin(), keys.end());
  // The second lock for records that were loaded before: the tombstone wins.
  if (!keys.empty()) std::erase_if(people_, [this](const auto& p) { return forgotten(p.first); });
}

void ConsentGate::set_paused(Function function, bool paused) {
  paused_[static_cast<std::size_t>(function)] = paused;
}

bool ConsentGate::paused(Function function) const {
  return paused_[static_cast<std::size_t>(Function::all)] ||
         paused_[static_cast<std::size_t>(function)];
}

bool ConsentGate::stale(const Now& now) const {
  return !last_heard_ || now.wall - *last_heard_ > max_age_ || *last_heard_ - now.wall > kSetBack;
}

ConsentVerdict ConsentGate::judge(const Packed& p, const Now& now) const {
  if (p.given == Packed::kNone) {
    return p.withdrawn == Packed::kNone ? ConsentVerdict::never_given : ConsentVerdict::withdrawn;
  }
  if (p.withdrawn != Packed::kNone && p.given <= p.withdrawn) return ConsentVerdict::withdrawn;
  if (!now.wall_trusted) return ConsentVerdict::clock_untrusted;
  if (p.given > now.wall.time_since_epoch().count()) {
    const auto given = *unpacked_time(p.given, Packed::kNone);
    next_grant_ = std::min(next_grant_.value_or(given), given);
    return ConsentVerdict::not_yet;
  }
  if (p.expires != Packed::kNone && now.wall.time_since_epoch().count() >= p.expires) {
    return ConsentVerdict::expired;
  }
  if (stale(now)) return ConsentVerdict::stale;
  return ConsentVerdict::permitted;
}

ConsentVerdict ConsentGate::verdict(const CustomerId& customer, Purpose purpose,
                                    const Now& now) const {
  auto it = people_.find(customer);
  if (it == people_.end()) {
    return forgotten(customer) ? ConsentVerdict::forgotten : ConsentVerdict::never_given;
  }
  const ConsentVerdict v = judge(it->second.purposes[index(purpose)], now);
  if (v == ConsentVerdict::permitted && purpose == Purpose::face_recognition &&
      paused(Function::face)) {
    return ConsentVerdict::paused;
  }
  return v;
}

PurposeSet ConsentGate::purposes(const Person& person, const Now& now) const {
  PurposeSet set;
  for (Purpose p : kAllPurposes) {
    if (judge(person.purposes[index(p)], now) == ConsentVerdict::permitted) set.add(p);
  }
  if (paused(Function::face)) set.remove(Purpose::face_recognition);
  return set;
}

PurposeSet ConsentGate::purposes(const CustomerId& customer, const Now& now) const {
  const auto it = people_.find(customer);
  return it == people_.end() ? PurposeSet() : purposes(it->second, now);
}

ConsentStanding ConsentGate::standing(const CustomerId& customer, Purpose purpose) const {
  auto it = people_.find(customer);
  return it == people_.end() ? ConsentStanding{} : unpack(it->second.purposes[index(purpose)]);
}

std::optional<Sighting> ConsentGate::admit(const IdentityClaim& claim, const Now& now) {
  const Purpose needed =
      claim.source == ClaimSource::face ? Purpose::face_recognition : Purpose::proximity_offers;
  const auto it = people_.find(claim.customer);
  if (it != people_.end()) {
    const PurposeSet set = purposes(it->second, now);
    if (set.has(needed)) return Sighting(claim, set);
  }
  ++turned_away_[static_cast<std::size_t>(verdict(claim.customer, needed, now))];
  return std::nullopt;
}

std::optional<FaceConsent> ConsentGate::face_consent(const CustomerId& customer,
                                                     const Now& now) const {
  if (!permits(customer, Purpose::face_recognition, now)) return std::nullopt;
  return FaceConsent(customer);
}

std::vector<CustomerId> ConsentGate::loadable_keys(const Now& now) const {
  std::vector<CustomerId> customers;
  for (const auto& [customer, person] : people_) {
    if (judge(person.purposes[index(Purpose::proximity_offers)], now) ==
        ConsentVerdict::permitted) {
      customers.push_back(customer);
    }
  }
  std::sort(customers.begin(), customers.end());
  return customers;
}

std::vector<FaceConsent> ConsentGate::loadable_faces(const Now& now) const {
  std::vector<FaceConsent> consents;
  for (const auto& [customer, person] : people_) {
    if (auto consent = face_consent(customer, now)) consents.push_back(std::move(*consent));
  }
  std::sort(consents.begin(), consents.end(),
            [](const auto& a, const auto& b) { return a.customer() < b.customer(); });
  return consents;
}

void ConsentGate::collect_expiries() {
  std::vector<WallTime> all;
  for (const auto& [customer, person] : people_) {
    for (const Packed& p : person.purposes) {
      if (const auto at = unpacked_time(p.expires, Packed::kNone)) all.push_back(*at);
    }
  }
  expiries_ = decltype(expiries_)({}, std::move(all));
  expiries_after_ = {};
}

std::optional<WallTime> ConsentGate::next_change(const Now& now) {
  // The clock was ahead, and what was over is still to come.
  if (now.wall < expiries_after_) collect_expiries();
  while (!expiries_.empty() && expiries_.top() <= now.wall) {
    expiries_after_ = std::max(expiries_after_, expiries_.top());
    expiries_.pop();
  }
  std::optional<WallTime> next;
  if (!expiries_.empty()) next = expiries_.top();
  // Whoever is asked about anew finds the one after it.
  if (next_grant_ && *next_grant_ <= now.wall) next_grant_.reset();
  if (next_grant_ && (!next || *next_grant_ < *next)) next = next_grant_;
  if (last_heard_ && !stale(now)) {
    // One tick past the limit: at the limit itself the word still counts.
    const WallTime silent = *last_heard_ + max_age_ + std::chrono::milliseconds{1};
    if (!next || silent < *next) next = silent;
  }
  return next;
}

}  // namespace welcome
