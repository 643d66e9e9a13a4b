// SPDX-License-Identifier: Apache-2.0
#include "beacon/resolver.h"

#include <algorithm>
#include <bitset>
#include <cstring>
#include <openssl/crypto.h>
#include <utility>

#include "beacon/plausible.h"

namespace welcome::beacon {
namespace {

constexpr std::uint32_t kNobody = 0xFFFFFFFFU;
constexpr std::size_t kWays = 4;
constexpr double kLearnPpm = 200e-6;  // faster than any crystal drifts

std::uint64_t fnv(std::span<const std::uint8_t> bytes, std::uint64_t h = 0xCBF29CE484222325ULL) {
  for (const std::uint8_t b : bytes) h = (h ^ b) * 0x100000001B3ULL;
  return h;
}
std::uint64_t fnv(std::string_view text, std::uint64_t h = 0xCBF29CE484222325ULL) {
  return fnv({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, h);
}

std::uint64_t first8(const std::uint8_t* p) {
  std::uint64_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return v;
}

std::uint32_t customer_tag(const CustomerId& customer) {
  const std::uint64_t hash = fnv(customer.str());
  return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

// Tags of some customers: of all others few pass.
class CustomerTags {
 public:
  void add(std::uint32_t tag) { bits_[tag % kBits] = true; }
  bool may_have(std::uint32_t tag) const { return bits_[tag % kBits]; }

 private:
  static constexpr std::size_t kBits = 1U << 15U;
  std::bitset<kBits> bits_;
};

std::uint64_t static_tag(std::span<const std::uint8_t> id, IdentityKind kind) {
  return fnv(id, static_cast<std::uint64_t>(kind) + 1);
}

std::size_t static_size(IdentityKind kind) { return kind == IdentityKind::eddystone_uid ? 16 : 20; }

bool rotates(IdentityKind kind) {
  return kind == IdentityKind::eddystone_eid || kind == IdentityKind::rotating_uuid;
}

std::int64_t wall_s(const Now& now) {
  return std::chrono::floor<std::chrono::seconds>(now.wall).time_since_epoch().count();
}

std::uint64_t content_hash(const IdentityKey& k) {
  std::uint64_t h = fnv(k.identity, fnv(k.customer.str()));
  const std::array<std::uint8_t, 3> small{
      static_cast<std::uint8_t>(k.kind), k.rotation_exponent,
      static_cast<std::uint8_t>(k.measured_power_1m_dbm.value_or(kNoTxPower))};
  h = fnv(small, h);
  h = fnv(k.key, h);
  h = fnv(k.static_id, h);
  const std::int64_t zero = k.clock_zero.time_since_epoch().count();
  return fnv({reinterpret_cast<const std::uint8_t*>(&zero), sizeof zero}, h);
}

}  // namespace

std::string_view to_string(AdvertType type) {
  static constexpr std::array<std::string_view, kAdvertTypes> kNames{
      "ibeacon",       "altbeacon",     "eddystone_uid",         "eddystone_url",
      "eddystone_tlm", "eddystone_eid", "exposure_notification", "find_hub",
      "uuid128",       "apple_other",   "manufacturer_data",     "service_data",
      "other"};
  return kNames[static_cast<std::size_t>(type)];
}

Resolver::Rotating::~Rotating() { OPENSSL_cleanse(key.data(), key.size()); }

Resolver::Resolver(ResolverConfig config) : config_(config) {
  std::size_t sets = 1;
  while (sets * kWays < config_.remembered_addresses) sets *= 2;
  remembered_.resize(sets * kWays);
}

void Resolver::set(std::vector<IdentityKey> keys, const Now& now, const LearntDevices& learnt) {
  Known known;
  known.reserve(live_);
  for (std::uint32_t i = 0; i < identities_.size(); ++i) {
    if (identities_[i].live) known.emplace(identities_[i].id_hash, i);
  }
  merge(std::move(keys), std::move(known), learnt, now);
}

void Resolver::update(const std::unordered_set<CustomerId>& customers,
                      std::vector<IdentityKey> keys, const Now& now, const LearntDevices& learnt) {
  CustomerTags tags;
  for (const CustomerId& customer : customers) tags.add(customer_tag(customer));
  std::vector<bool> theirs(customers_.size());
  for (std::size_t i = 0; i < customers_.size(); ++i) {
    const Customer& one = customers_[i];
    theirs[i] = one.identities > 0 && tags.may_have(one.tag) && customers.contains(one.id);
  }
  Known known;
  for (std::uint32_t i = 0; i < identities_.size(); ++i) {
    if (identities_[i].live && theirs[identities_[i].customer]) {
      known.emplace(identities_[i].id_hash, i);
    }
  }
  merge(std::move(keys), std::move(known), learnt, now);
}

void Resolver::expect(std::size_t identities) {
  customers_.reserve(identities);
  identities_.reserve(identities);
  expected_ = identities;
}

// How many there will be of a kind of which there are `some` among `all`.
std::size_t Resolver::expected(std::size_t some, std::size_t all) const {
  return all > 0 && all < expected_ ? some * expected_ / all : some;
}

void Resolver::merge(std::vector<IdentityKey> keys, Known known, const LearntDevices& learnt,
                     const Now& now) {
  // First what is new or stays, then what is left over in `known` goes: a customer who stays is
  // never forgotten in between.
  struct Fresh {
    std::size_t key;
    std::uint64_t id;
    std::uint64_t content;
    std::uint32_t instead_of;
  };
  std::vector<std::uint32_t> gone;
  std::vector<Fresh> fresh;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Fresh one{i, fnv(keys[i].identity), content_hash(keys[i]), kNobody};
    fresh.push_back(one);
    const auto it = known.find(one.id);
    if (it == known.end()) continue;
    if (identities_[it->second].content_hash == one.content) {
      fresh.pop_back();
    } else {
      fresh.back().instead_of = it->second;
      gone.push_back(it->second);
    }
    known.erase(it);
  }
  std::unordered_map<CustomerId, std::uint32_t> customers;
  customers.reserve(fresh.size());
  CustomerTags tags;
  std::size_t rotating = rotating_.size();
  std::size_t irks = irks_.size();
  for (const Fresh& one : fresh) {
    const IdentityKey& key = keys[one.key];
    customers.emplace(key.customer, kNobody);
    tags.add(customer_tag(key.customer));
    rotating += rotates(key.kind) ? 1 : 0;
    irks += key.kind == IdentityKind::irk ? 1 : 0;
  }
  for (std::uint32_t i = 0; i < customers_.size() && !fresh.empty(); ++i) {
    if (customers_[i].identities == 0 || !tags.may_have(customers_[i].tag)) continue;
    if (const auto it = customers.find(customers_[i].id); it != customers.end()) it->second = i;
  }
  const auto make_room = [](auto& list, std::size_t size) {
    if (size > list.capacity()) list.reserve(std::max(size, 2 * list.capacity()));
  };
  make_room(customers_, customers_.size() + fresh.size());
  make_room(rotating_, rotating);
  make_room(irks_, irks);
  windows_.reserve(expected(rotating, live_ + fresh.size()) * 6);

  for (const Fresh& one : fresh) {
    IdentityKey& key = keys[one.key];
    std::uint32_t& customer = customers.at(key.customer);
    if (customer == kNobody) {
      if (free_customers_.empty()) {
        customer = static_cast<std::uint32_t>(customers_.size());
        customers_.emplace_back();
      } else {
        customer = free_customers_.back();
        free_customers_.pop_back();
      }
      customers_[customer].id = key.customer;
      customers_[customer].tag = customer_tag(key.customer);
    }
    ++customers_[customer].identities;
    const std::uint32_t index = add(std::move(key), one.id, one.content, customer, learnt, now);
    // Calibrated again it is still the same device: what somebody recorded of it stays old.
    const auto heard = addresses_.find(one.instead_of);
    if (heard == addresses_.end() || identities_[index].kind != IdentityKind::irk) continue;
    HeardAddresses before = std::move(heard->second);
    addresses_[index] = std::move(before);
    learnt_[index] = one.content;
  }
  for (const auto& [id, index] : known) gone.push_back(index);
  for (const std::uint32_t index : gone) remove(index);
  fresh_run_ = 0;
}

std::uint32_t Resolver::add(IdentityKey&& key, std::uint64_t id_hash, std::uint64_t content,
                            std::uint32_t customer, const LearntDevices& learnt, const Now& now) {
  std::uint32_t index = 0;
  if (free_identities_.empty()) {
    index = static_cast<std::uint32_t>(identities_.size());
    identities_.emplace_back();
  } else {
    index = free_identities_.back();
    free_identities_.pop_back();
  }
  Identity& identity = identities_[index];
  identity = {};
  identity.id_hash = id_hash;
  identity.content_hash = content;
  identity.customer = customer;
  identity.kind = key.kind;
  identity.power_1m_dbm = key.measured_power_1m_dbm.value_or(kNoTxPower);
  identity.live = true;
  ++live_;
  const auto before = learnt.find(content);
  if (before != learnt.end()) identity.nearest = before->second.nearest;

  if (rotates(key.kind)) {
    identity.detail = static_cast<std::uint32_t>(rotating_.size());
    Rotating& r = rotating_.emplace_back();
    r.key = key.key;
    r.clock_zero_s =
        std::chrono::floor<std::chrono::seconds>(key.clock_zero).time_since_epoch().count();
    r.slew_from_s = std::min(r.clock_zero_s, wall_s(now));
    if (before != learnt.end() && before->second.clock_at_s != 0) {
      r.offset_s = before->second.clock_ahead_s;
      r.slew_from_s = std::min(before->second.clock_at_s, wall_s(now));
    }
    r.identity = index;
    r.exponent =
        std::min<std::uint8_t>(key.rotation_exponent, std::uint8_t{kLongestRotationExponent});
  } else if (key.kind == IdentityKind::irk) {
    identity.detail = static_cast<std::uint32_t>(irks_.size());
    irks_.push_back({Aes128(key.key), index});
    if (before != learnt.end()) addresses_[index] = before->second.addresses;
    // Addresses that resolved to nobody get another try, with this key alone.
    for (Remembered& r : remembered_) {
      if (r.address == 0 || r.identity != kNobody) continue;
      Address address;
      for (unsigned i = 0; i < 6; ++i) {
        address[i] = static_cast<std::uint8_t>(r.address >> (40U - 8U * i));
      }
      if (resolves(irks_.back().key, address)) r.identity = index;
    }
  } else {
    identity.detail = static_cast<std::uint32_t>(statics_.size());
    statics_.push_back({key.static_id, index});
    const std::span<const std::uint8_t> id(key.static_id.data(), static_size(key.kind));
    static_index_.insert(static_tag(id, key.kind), index);
  }
  return index;
}

void Resolver::drop_detail(Identity& identity) {
  const std::uint32_t at = identity.detail;
  const auto swap_out = [&](auto& list) {
    if (at + 1 != list.size()) {
      list[at] = list.back();
      identities_[list[at].identity].detail = at;
    }
    list.pop_back();
  };
  if (rotates(identity.kind)) {
    Rotating& r = rotating_[at];
    const bool uuid = identity.kind == IdentityKind::rotating_uuid;
    for (std::int64_t w = r.first; w < r.end; ++w) {
      windows_.erase(window_tag(r, uuid, w), r.identity, static_cast<std::uint32_t>(w));
    }
    swap_out(rotating_);
    if (cursor_ >= rotating_.size()) cursor_ = 0;
  } else if (identity.kind == IdentityKind::irk) {
    // Tried again when they are heard again: the key may have come back under another index.
    for (Remembered& r : remembered_) {
      if (r.address != 0 && r.identity == irks_[at].identity) r = {};
    }
    addresses_.erase(irks_[at].identity);
    swap_out(irks_);
  } else {
    const std::span<const std::uint8_t> id(statics_[at].id.data(), static_size(identity.kind));
    static_index_.erase(static_tag(id, identity.kind), statics_[at].identity);
    swap_out(statics_);
  }
}

void Resolver::remove(std::uint32_t index) {
  Identity& identity = identities_[index];
  drop_detail(identity);
  Customer& customer = customers_[identity.customer];
  if (--customer.identities == 0) {
    customer.id = CustomerId{};
    free_customers_.push_back(identity.customer);
  }
  identity = {};
  free_identities_.push_back(index);
  --live_;
}

std::uint64_t Resolver::window_tag(const Rotating& r, bool uuid, std::int64_t window) const {
  const auto time = static_cast<std::uint32_t>(window << r.exponent);
  if (uuid) return first8(rotating_uuid(r.key, r.exponent, time).data());
  return first8(eddystone_eid(r.key, r.exponent, time).data());
}

std::int64_t Resolver::window_at(const Rotating& r, const Now& now) const {
  return (wall_s(now) - r.clock_zero_s + r.offset_s) >> r.exponent;
}

std::int64_t Resolver::reach(const Rotating& r) const {
  const std::int64_t length = std::int64_t{1} << r.exponent;
  return std::max<std::int64_t>(1, (config_.clock_drift.count() + length - 1) / length);
}

// Keeps the windows that count now, one more ahead so that a refresh may come late, and one behind
// so that a replay is recognised as one. Says how many it computed.
unsigned Resolver::update_windows(Rotating& r, const Now& now, unsigned budget) {
  const std::int64_t current = window_at(r, now);
  const std::int64_t last = (std::int64_t{0xFFFFFFFF} >> r.exponent) + 1;
  const std::int64_t first = std::clamp<std::int64_t>(current - reach(r) - 1, 0, last);
  const std::int64_t end = std::clamp<std::int64_t>(current + reach(r) + 2, 0, last);
  const bool uuid = identities_[r.identity].kind == IdentityKind::rotating_uuid;
  unsigned computed = 0;
  const auto drop = [&](std::int64_t w) {
    windows_.erase(window_tag(r, uuid, w), r.identity, static_cast<std::uint32_t>(w));
    ++computed;
  };
  while (r.first < r.end && computed < budget && (r.first < first || r.first >= end)) {
    drop(r.first++);
  }
  while (r.first < r.end && computed < budget && r.end > end) drop(--r.end);
  if (r.first == r.end) r.first = r.end = std::max(first, std::min(current, end));
  const auto insert = [&](std::int64_t w) {
    windows_.insert(window_tag(r, uuid, w), r.identity, static_cast<std::uint32_t>(w));
    ++computed;
  };
  while (r.end < end && computed < budget) insert(r.end++);
  while (r.first > first && computed < budget) insert(--r.first);
  return computed;
}

bool Resolver::refresh(const Now& now, unsigned windows) {
  if (rotating_.empty()) return true;
  // Looking at one that is up to date costs too: count 16 of them as one window.
  unsigned looked = 0;
  if (fresh_run_ >= rotating_.size()) fresh_run_ = 0;
  while (windows > 0 && fresh_run_ < rotating_.size()) {
    const unsigned computed = update_windows(rotating_[cursor_], now, windows);
    if (computed == windows) return false;  // perhaps not done with this one: it is next again
    windows -= computed;
    fresh_run_ = computed == 0 ? fresh_run_ + 1 : 0;
    cursor_ = cursor_ + 1 < rotating_.size() ? cursor_ + 1 : 0;
    if (++looked % 16 == 0 && windows > 0) --windows;
  }
  return fresh_run_ >= rotating_.size();
}

// The device's clock is moved no more than a crystal can have drifted since it was last learnt:
// somebody who replays old windows cannot drag it along.
void Resolver::learn_clock(Rotating& r, std::int64_t heard, const Now& now) {
  const std::int64_t time = wall_s(now);
  const std::int64_t ours = time - r.clock_zero_s + r.offset_s;
  const std::int64_t window_first = heard << r.exponent;
  const std::int64_t window_last = ((heard + 1) << r.exponent) - 1;
  std::int64_t off = 0;
  if (ours < window_first) off = window_first - ours;
  if (ours > window_last) off = window_last - ours;
  if (off == 0) return;
  const auto most =
      static_cast<std::int64_t>(static_cast<double>(time - r.slew_from_s) * kLearnPpm);
  if (most < 1) return;
  const std::int64_t step = std::clamp(off, -most, most);
  r.offset_s = static_cast<std::int32_t>(r.offset_s + step);
  r.slew_from_s = time;
  learnt_[r.identity] = device_hash(r.identity);
}

Resolved Resolver::match(std::uint32_t index) const {
  const Identity& identity = identities_[index];
  Resolved m{index, identity.customer, identity.kind, std::nullopt};
  if (identity.power_1m_dbm != kNoTxPower) {
    m.impossible_power = !is_possible_power_1m(identity.power_1m_dbm);
    if (!m.impossible_power) m.power_1m_dbm = identity.power_1m_dbm;
  }
  return m;
}

// A device has one clock: once it has sent a window, it sends none before it, but for the moment in
// which an app starts the next advert before it stops the last. What comes later was recorded.
bool Resolver::is_over(Rotating& r, std::uint32_t window, const Now& now) const {
  const auto second = static_cast<std::uint32_t>(
      std::chrono::floor<std::chrono::seconds>(now.mono.time_since_epoch()).count());
  const auto ahead = static_cast<std::int32_t>(window - r.newest);
  if (r.newest_s == 0 || ahead > 0) {
    r.newest = window;
    r.newest_s = std::max(second, 1U);
    return false;
  }
  return ahead < 0 && second - r.newest_s > config_.overlap.count();
}

std::optional<Resolved> Resolver::find_rotating(std::uint64_t tag, const Uuid128* uuid,
                                                const Now& now) {
  std::optional<Resolved> found;
  windows_.find(tag, [&](const FlatTable::Slot& slot) {
    const Identity& identity = identities_[slot.value];
    if ((identity.kind == IdentityKind::rotating_uuid) != (uuid != nullptr)) return false;
    Rotating& r = rotating_[identity.detail];
    const std::int64_t window = slot.extra;
    bool moving = false;
    if (uuid != nullptr) {
      Uuid128 sent =
          rotating_uuid(r.key, r.exponent, static_cast<std::uint32_t>(window << r.exponent));
      moving = sent != *uuid;
      if (moving) sent.back() ^= kMovingBit;
      if (sent != *uuid) return false;
    }
    const std::int64_t away = window - window_at(r, now);
    if (away < -reach(r) || away > reach(r)) {
      if (away < 0) ++counters_.replayed;
      return true;
    }
    found = match(slot.value);
    found->moving = moving;
    found->recorded = is_over(r, slot.extra, now);
    if (found->recorded) {
      ++counters_.replayed;
    } else if (away != 0) {
      learn_clock(r, window, now);
    }
    return true;
  });
  return found;
}

std::optional<Resolved> Resolver::find_static(std::span<const std::uint8_t> id,
                                              IdentityKind kind) const {
  std::optional<Resolved> found;
  static_index_.find(static_tag(id, kind), [&](const FlatTable::Slot& slot) {
    const Identity& identity = identities_[slot.value];
    if (identity.kind != kind) return false;
    if (!std::equal(id.begin(), id.end(), statics_[identity.detail].id.begin())) return false;
    found = match(slot.value);
    return true;
  });
  return found;
}

std::optional<Resolved> Resolver::find_address(const AdvertReport& report, const Now& now) {
  if (irks_.empty() || !is_resolvable(report.address, report.address_type)) return std::nullopt;
  std::uint64_t address = 0;
  for (const std::uint8_t b : report.address) address = (address << 8U) | b;
  const std::size_t sets = remembered_.size() / kWays;
  const std::size_t set =
      static_cast<std::size_t>((address * 0x9E3779B97F4A7C15ULL) >> 24U) & (sets - 1);
  const std::span<Remembered> ways(&remembered_[set * kWays], kWays);
  const auto second = static_cast<std::uint32_t>(
      std::chrono::floor<std::chrono::seconds>(now.mono.time_since_epoch()).count());
  for (Remembered& r : ways) {
    if (r.address != address) continue;
    r.heard_s = second;
    if (r.identity == kNobody) return std::nullopt;
    return match_address(r.identity, report.address, now);
  }

  const double passed = std::chrono::duration<double>(now.mono - tries_at_).count();
  tries_left_ =
      std::min<double>(config_.key_tries_per_second,
                       tries_left_ + std::max(0.0, passed) * config_.key_tries_per_second);
  tries_at_ = now.mono;
  if (tries_left_ <= 0) {
    ++counters_.addresses_deferred;
    return std::nullopt;
  }
  tries_left_ -= static_cast<double>(irks_.size());
  ++counters_.addresses_tried;

  std::uint32_t identity = kNobody;
  for (const Irk& irk : irks_) {
    if (resolves(irk.key, report.address)) {
      identity = irk.identity;
      break;
    }
  }
  Remembered& slot =
      *std::min_element(ways.begin(), ways.end(), [](const Remembered& a, const Remembered& b) {
        return (a.address == 0) != (b.address == 0) ? a.address == 0 : a.heard_s < b.heard_s;
      });
  slot = {address, identity, second};
  if (identity == kNobody) return std::nullopt;
  return match_address(identity, report.address, now);
}

Resolved Resolver::match_address(std::uint32_t identity, const Address& address, const Now& now) {
  const std::uint32_t prand =
      (std::uint32_t{address[0]} << 16U) | (std::uint32_t{address[1]} << 8U) | address[2];
  const auto minute = static_cast<std::uint32_t>(
      std::chrono::floor<std::chrono::minutes>(now.wall).time_since_epoch().count());
  const auto age = addresses_[identity].hear(prand, minute);
  if (age == HeardAddresses::Age::unheard) learnt_[identity] = device_hash(identity);
  Resolved found = match(identity);
  found.recorded = age == HeardAddresses::Age::old;
  if (found.recorded) ++counters_.old_addresses;
  return found;
}

std::optional<Resolved> Resolver::resolve(const AdvertReport& report, const Now& now,
                                          AdvertType& type) {
  std::optional<Resolved> found;
  type = AdvertType::other;
  const auto see = [&](AdvertType seen) {
    if (type == AdvertType::other || seen < type) type = seen;
  };
  const auto take = [&](std::optional<Resolved> m, int power_1m, bool known = true) {
    if (found || !m) return;
    found = m;
    if (found->power_1m_dbm) return;
    found->distance_known = known;
    if (is_possible_power_1m(power_1m)) {
      found->power_1m_dbm = static_cast<std::int8_t>(power_1m);
    } else {
      found->impossible_power = true;
    }
  };
  // Eddystone says its power at 0 m; over the first metre a signal loses 41 dB.
  const auto at_1m = [](std::int8_t tx_power_0m) { return tx_power_0m - 41; };

  AdWalker walker(report.ad.view());
  AdStructure structure;
  AdEnd end = AdEnd::more;
  while ((end = walker.next(structure)) == AdEnd::more) {
    switch (structure.type) {
      case kAdUuids128:
      case kAdUuids128Some:
        see(AdvertType::uuid128);
        for (Bytes rest = structure.data; rest.size() >= 16; rest = rest.subspan(16)) {
          Uuid128 uuid;  // on air least significant byte first
          std::reverse_copy(rest.begin(), rest.begin() + 16, uuid.begin());
          const auto m = find_rotating(first8(uuid.data()), &uuid, now);
          if (report.tx_power_dbm != kNoTxPower) {
            take(m, at_1m(report.tx_power_dbm));
          } else if (!found) {
            found = m;
          }
        }
        break;
      case kAdServiceData16:
      case kAdManufacturer: {
        const auto frame = decode_frame(structure);
        if (!frame) {
          const bool apple = structure.type == kAdManufacturer && structure.data.size() >= 2 &&
                             structure.data[0] == 0x4C && structure.data[1] == 0x00;
          see(structure.type == kAdServiceData16 ? AdvertType::service_data
              : apple                            ? AdvertType::apple_other
                                                 : AdvertType::manufacturer_data);
        } else if (const auto* ibeacon = std::get_if<IBeacon>(&*frame)) {
          see(AdvertType::ibeacon);
          take(find_static(ibeacon->id, IdentityKind::ibeacon), ibeacon->measured_power,
               ibeacon->measured_power != 0);
        } else if (const auto* alt = std::get_if<AltBeacon>(&*frame)) {
          see(AdvertType::altbeacon);
          take(find_static(alt->id, IdentityKind::altbeacon), alt->reference_rssi);
        } else if (const auto* uid = std::get_if<EddystoneUid>(&*frame)) {
          see(AdvertType::eddystone_uid);
          take(find_static(uid->id, IdentityKind::eddystone_uid), at_1m(uid->tx_power_0m));
        } else if (const auto* eid = std::get_if<EddystoneEid>(&*frame)) {
          see(AdvertType::eddystone_eid);
          take(find_rotating(first8(eid->eid.data()), nullptr, now), at_1m(eid->tx_power_0m));
        } else if (std::holds_alternative<EddystoneUrl>(*frame)) {
          see(AdvertType::eddystone_url);
        } else if (std::holds_alternative<ExposureNotification>(*frame)) {
          see(AdvertType::exposure_notification);
        } else if (std::holds_alternative<FindHub>(*frame)) {
          see(AdvertType::find_hub);
        } else if (std::holds_alternative<UriBeacon>(*frame)) {
          see(AdvertType::service_data);
        } else {
          see(AdvertType::eddystone_tlm);
        }
        break;
      }
      default:
        break;
    }
  }
  if (end == AdEnd::overrun) ++counters_.malformed;
  if (!found) found = find_address(report, now);
  return found;
}

void Resolver::set_nearest(std::uint32_t index, NearestLevel nearest) {
  identities_[index].nearest = nearest;
  learnt_[index] = device_hash(index);
}

std::vector<Resolver::Learnt> Resolver::take_learnt() {
  std::vector<Learnt> out;
  for (const auto& [index, device] : std::exchange(learnt_, {})) {
    const Identity& identity = identities_[index];
    if (!identity.live || identity.content_hash != device) continue;
    Learnt& learnt = out.emplace_back();
    learnt.customer = customers_[identity.customer].id;
    learnt.device = device;
    learnt.what.nearest = identity.nearest;
    if (const auto heard = addresses_.find(index); heard != addresses_.end()) {
      learnt.what.addresses = heard->second;
    }
    if (rotates(identity.kind)) {
      const Rotating& r = rotating_[identity.detail];
      learnt.what.clock_ahead_s = r.offset_s;
      learnt.what.clock_at_s = r.slew_from_s;
    }
  }
  return out;
}

bool Resolver::knows(const CustomerId& customer) const {
  const std::uint32_t tag = customer_tag(customer);
  return std::any_of(customers_.begin(), customers_.end(), [&](const Customer& c) {
    return c.identities > 0 && c.tag == tag && c.id == customer;
  });
}

std::size_t Resolver::bytes() const {
  std::size_t sum = windows_.bytes() + static_index_.bytes();
  sum += customers_.capacity() * sizeof(Customer) + identities_.capacity() * sizeof(Identity);
  sum += rotating_.capacity() * sizeof(Rotating) + irks_.capacity() * sizeof(Irk);
  sum += statics_.capacity() * sizeof(Static) + remembered_.capacity() * sizeof(Remembered);
  constexpr std::size_t kNode = 64;  // of a map's entry beside its value
  for (const auto& [identity, heard] : addresses_) sum += kNode + sizeof heard + heard.bytes();
  return sum;
}

}  // namespace welcome::beacon
