// SPDX-License-Identifier: Apache-2.0
#include "beacon/key_doubts.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <openssl/crypto.h>
#include <utility>

#include "beacon/ad.h"

namespace welcome::beacon {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kEids = 16;
constexpr std::size_t kAddresses = 8;
// An EID changes after at most nine hours, most after minutes; an address after 15 minutes.
constexpr auto kRemembered = 10min;
// Two addresses of one phone within it: by chance an address fits one key in 16 million.
constexpr auto kSuspected = 1h;
constexpr std::int64_t kNewBatteryS = 60 * 24 * 3600;  // as long as a battery counts as new
constexpr std::int64_t kWindowsAtOnce = 500;
constexpr std::size_t kIrksAtOnce = 200;

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::optional<Eid> eid_of(const AdvertReport& report) {
  AdWalker walker(report.ad.view());
  AdStructure structure;
  while (walker.next(structure) == AdEnd::more) {
    if (structure.type != kAdServiceData16) continue;
    const auto frame = decode_frame(structure);
    if (const auto* eid = frame ? std::get_if<EddystoneEid>(&*frame) : nullptr) return eid->eid;
  }
  return std::nullopt;
}

// Whether a clock that was 0 then is the one the key is known with: it was set since it was heard.
template <class Key>
bool reads_so(const Key& key, WallTime zero) {
  return std::abs(seconds_of(zero) - key.clock_zero_s) <= (std::int64_t{1} << key.exponent);
}

// The new one, or the time of one that is known.
template <class Heard, class Same>
void remember(std::vector<Heard>& list, std::size_t most, const Heard& heard, Same&& same) {
  const auto known = std::find_if(list.begin(), list.end(), same);
  if (known != list.end()) {
    *known = heard;
    return;
  }
  if (list.size() >= most) {
    list.erase(std::min_element(list.begin(), list.end(),
                                [](const Heard& a, const Heard& b) { return a.at < b.at; }));
  }
  list.push_back(heard);
}

}  // namespace

KeyDoubts::Key::~Key() { OPENSSL_cleanse(key.data(), key.size()); }

std::uint64_t KeyDoubts::identity_tag(std::string_view identity) {
  return std::hash<std::string_view>{}(identity);
}

void KeyDoubts::add(const IdentityKey& from) {
  if (from.kind != IdentityKind::irk && from.kind != IdentityKind::eddystone_eid) return;
  Key& key = (from.kind == IdentityKind::irk ? irks_ : eids_).emplace_back();
  key.key = from.key;
  key.identity = identity_tag(from.identity);
  key.customer = from.customer;
  key.customer_tag = identity_tag(from.customer.str());
  key.clock_zero_s = seconds_of(from.clock_zero);
  key.exponent =
      std::min<std::uint8_t>(from.rotation_exponent, std::uint8_t{kLongestRotationExponent});
}

void KeyDoubts::set(const std::vector<IdentityKey>& keys) {
  irks_.clear();
  eids_.clear();
  for (const IdentityKey& key : keys) add(key);
}

void KeyDoubts::update(const std::unordered_set<CustomerId>& customers,
                       const std::vector<IdentityKey>& keys) {
  std::unordered_set<std::uint64_t> theirs;
  for (const CustomerId& customer : customers) theirs.insert(identity_tag(customer.str()));
  for (auto* list : {&irks_, &eids_}) {
    std::erase_if(*list, [&](const Key& key) { return theirs.contains(key.customer_tag); });
  }
  for (const IdentityKey& key : keys) {
    said_.erase(identity_tag(key.identity));
    add(key);
  }
}

void KeyDoubts::unknown(const AdvertReport& report, const Now& now) {
  if (!irks_.empty() && is_resolvable(report.address, report.address_type)) {
    remember(unknown_addresses_, kAddresses, {report.address, now.mono},
             [&](const HeardAddress& heard) { return heard.address == report.address; });
  }
  if (eids_.empty()) return;
  if (const auto eid = eid_of(report)) {
    remember(unknown_eids_, kEids, {*eid, now.mono, seconds_of(now.wall)},
             [&](const HeardEid& heard) { return heard.eid == *eid; });
  }
}

void KeyDoubts::forget_old(const Now& now) {
  const auto old = [&](const auto& heard) { return now.mono - heard.at > kRemembered; };
  std::erase_if(unknown_eids_, old);
  std::erase_if(unknown_addresses_, old);
  std::erase_if(suspects_,
                [&](const auto& entry) { return now.mono - entry.second.at > kSuspected; });
}

void KeyDoubts::say(Kind kind, const Key& key, WallTime clock_zero) {
  if (!said_.insert(key.identity).second) return;
  doubts_.push_back({kind, key.customer, key.identity, clock_zero});
}

void KeyDoubts::try_reversed(const Key& irk, const Now& now) {
  if (said_.contains(irk.identity)) return;
  Block turned = irk.key;
  std::reverse(turned.begin(), turned.end());
  const Aes128 key(turned);
  OPENSSL_cleanse(turned.data(), turned.size());
  for (const HeardAddress& heard : unknown_addresses_) {
    if (!resolves(key, heard.address)) continue;
    const auto [suspect, first] =
        suspects_.try_emplace(irk.identity, Suspect{heard.address, now.mono});
    if (!first && suspect->second.address != heard.address) {
      say(Kind::reversed_irk, irk, {});
    }
  }
}

std::optional<WallTime> KeyDoubts::zero_within(const Block& key, unsigned exponent,
                                               std::int64_t first, std::int64_t end) const {
  for (std::int64_t window = first; window < end; ++window) {
    const std::int64_t clock = window << exponent;
    const Eid eid = eddystone_eid(key, exponent, static_cast<std::uint32_t>(clock));
    for (const HeardEid& heard : unknown_eids_) {
      if (heard.eid != eid) continue;
      // Its clock is somewhere in the window: in the middle the error is least.
      const std::int64_t into = (std::int64_t{1} << exponent) / 2;
      return WallTime{std::chrono::seconds{heard.wall_s - clock - into}};
    }
  }
  return std::nullopt;
}

void KeyDoubts::work(const Now& now) {
  forget_old(now);
  if (!unknown_addresses_.empty()) {
    for (std::size_t i = 0; i < std::min(kIrksAtOnce, irks_.size()); ++i) {
      next_irk_ = (next_irk_ + 1) % irks_.size();
      try_reversed(irks_[next_irk_], now);
    }
  }
  if (unknown_eids_.empty() || eids_.empty() || !now.wall_trusted) return;
  for (std::int64_t left = kWindowsAtOnce; left > 0;) {
    if (next_eid_ >= eids_.size()) {
      next_eid_ = 0;
      next_window_ = 0;
    }
    const Key& key = eids_[next_eid_];
    const std::int64_t windows = (kNewBatteryS >> key.exponent) + 1;
    const std::int64_t end = std::min(windows, next_window_ + left);
    if (!said_.contains(key.identity)) {
      const auto zero = zero_within(key.key, key.exponent, next_window_, end);
      if (zero && !reads_so(key, *zero)) say(Kind::clock_began_anew, key, *zero);
    }
    left -= std::max<std::int64_t>(end - next_window_, 1);
    next_window_ = end;
    if (end < windows) continue;
    next_window_ = 0;
    if (++next_eid_ >= eids_.size()) break;  // once round is enough for now
  }
}

std::vector<KeyDoubts::Doubt> KeyDoubts::take() { return std::exchange(doubts_, {}); }

std::optional<WallTime> KeyDoubts::clock_zero_of(const IdentityKey& key, const Now& now) const {
  if (key.kind != IdentityKind::eddystone_eid || unknown_eids_.empty()) return std::nullopt;
  const unsigned exponent = std::min<unsigned>(key.rotation_exponent, kLongestRotationExponent);
  const auto at = [&](std::int64_t from_s, std::int64_t to_s) {
    const std::int64_t last = std::int64_t{0xFFFFFFFF} >> exponent;
    return zero_within(key.key, exponent, std::clamp<std::int64_t>(from_s >> exponent, 0, last),
                       std::clamp<std::int64_t>((to_s >> exponent) + 1, 0, last + 1));
  };
  // A clock that began again, then one that stood still or was set wrong, a year either way; where
  // windows are short, less, so that it stays at about a second.
  constexpr std::int64_t kYearS = 366 * 24 * 3600;
  constexpr std::int64_t kMostWindows = 1'000'000;
  const std::int64_t reach = std::min(kYearS, kMostWindows << exponent);
  if (const auto zero = at(0, reach)) return zero;
  const std::int64_t ours = seconds_of(now.wall) - seconds_of(key.clock_zero);
  return at(ours - reach, ours + reach);
}

}  // namespace welcome::beacon
