// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/listening.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "contract/items.h"
#include "contract/json_text.h"
#include "core/hex.h"
#include "firmware/engine/convert.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// Keys of a few customers are read at once, those of many in turns, each of some milliseconds.
constexpr std::size_t kFetchFreely = 16;
constexpr std::size_t kFetchAtOnce = 400;
constexpr auto kFetchEvery = 50ms;

std::string value_of(const beacon::LearntDevice& learnt) {
  json value{{"clock_ahead_s", learnt.clock_ahead_s},
             {"clock_at_s", learnt.clock_at_s},
             {"nearest_tenths_db", learnt.nearest.tenths_db},
             {"visits", learnt.nearest.visits}};
  const auto& addresses = learnt.addresses;
  if (!addresses.current().empty()) {
    json& current = value["addresses"] = json::array();
    for (const auto& one : addresses.current()) current.push_back({one.prand, one.first_minute});
    value["past_addresses"] = to_hex(addresses.past());
  }
  return contract::dump(value);
}

beacon::HeardAddresses addresses_in(const json& row) {
  std::vector<beacon::HeardAddresses::Current> current;
  for (const auto& one : row.value("addresses", json::array())) {
    current.push_back({one.at(0).get<std::uint32_t>(), one.at(1).get<std::uint32_t>()});
  }
  const auto text = row.value("past_addresses", std::string());
  std::vector<std::uint8_t> past(text.size() / 2);
  if (!from_hex(text, past)) past.clear();
  return beacon::HeardAddresses::restored(std::move(current), std::move(past));
}

std::optional<beacon::LearntDevice> read_value(const std::string& text) {
  const json row = json::parse(text, nullptr, false);
  beacon::LearntDevice learnt;
  try {
    row.at("clock_ahead_s").get_to(learnt.clock_ahead_s);
    row.at("clock_at_s").get_to(learnt.clock_at_s);
    row.at("nearest_tenths_db").get_to(learnt.nearest.tenths_db);
    row.at("visits").get_to(learnt.nearest.visits);
    learnt.addresses = addresses_in(row);
  } catch (const json::exception&) {
    return std::nullopt;
  }
  return learnt;
}

// Some came without a brief, by an older version.
std::optional<beacon::IdentityKey> key_of_stored(const store::ReplicaItem& stored) {
  if (!stored.brief.empty()) return key_of_brief(stored.customer, stored.brief);
  const auto item = contract::decode_item(contract::Collection::identities, stored.body);
  if (!item) return std::nullopt;
  return key_of(std::get<IdentityItem>(*item));
}

}  // namespace

void Listening::load(const Now& now) {
  listened_for_.clear();
  to_fetch_.clear();
  for (auto& customer : shared_.pipeline.gate().loadable_keys(now)) {
    listened_for_.insert(std::move(customer));
  }
  const auto count = shared_.store.replica().count(store::Collection::identities);
  if (!count) return needs_.store_failed(count.error());
  std::vector<beacon::IdentityKey> keys;
  std::int64_t known = 0;
  auto loaded = shared_.store.replica().load_briefs(
      store::Collection::identities, [&](store::ReplicaItem&& stored) {
        auto key = key_of_brief(stored.customer, stored.brief);
        known += key ? 1 : 0;
        if (!key) return;
        devices_.put(*key);
        if (listened_for_.contains(stored.customer)) {
          keys.push_back(watch_.with_clock(std::move(*key)));
        }
      });
  if (loaded && known < *count) {
    // Some came without a brief, by an older version.
    keys.clear();
    loaded = shared_.store.replica().load(store::Collection::identities,
                                          [&](store::ReplicaItem&& stored) {
                                            auto key = key_of_stored(stored);
                                            if (!key) return;
                                            devices_.put(*key);
                                            if (listened_for_.contains(stored.customer)) {
                                              keys.push_back(watch_.with_clock(std::move(*key)));
                                            }
                                          });
  }
  if (!loaded) return needs_.store_failed(loaded.error());
  watch_.set(keys);
  tracker_.set_identities(std::move(keys), now, learnt_);
  forget_unknown_devices(now);
}

void Listening::refresh(const Now& now) {
  std::unordered_set<CustomerId> gone = std::exchange(listened_for_, {});
  for (auto& customer : shared_.pipeline.gate().loadable_keys(now)) {
    if (gone.erase(customer) == 0) to_fetch_.insert(customer);
    listened_for_.insert(std::move(customer));
  }
  for (const auto& customer : gone) to_fetch_.erase(customer);
  unload(gone, now);
  fetch(now);
}

// Keys of those who may no longer be listened for go at once, new ones come in their turn.
void Listening::refresh(const std::vector<CustomerId>& customers, const Now& now) {
  std::unordered_set<CustomerId> gone;
  for (const auto& customer : customers) {
    if (shared_.pipeline.gate().permits(customer, Purpose::proximity_offers, now)) {
      listened_for_.insert(customer);
      to_fetch_.insert(customer);
    } else {
      to_fetch_.erase(customer);
      if (listened_for_.erase(customer) > 0) gone.insert(customer);
    }
  }
  unload(gone, now);
  fetch(now);
}

void Listening::unload(const std::unordered_set<CustomerId>& gone, const Now& now) {
  if (gone.empty()) return;
  watch_.update(gone, {});
  tracker_.update_identities(gone, {}, now);
  // Before the last who may be is loaded, unknown does not mean gone.
  if (to_fetch_.empty()) forget_unknown_devices(now);
}

void Listening::expect(std::size_t people) {
  listened_for_.reserve(people);
  to_fetch_.reserve(people);
}

void Listening::fetch(const Now& now) {
  if (to_fetch_.empty() || now.mono < next_fetch_) return;
  if (to_fetch_.size() > kFetchFreely) next_fetch_ = now.mono + kFetchEvery;
  std::unordered_set<CustomerId> customers;
  std::vector<beacon::IdentityKey> keys;
  // In a first snapshot consents come before the keys, which say themselves whose they are.
  const bool none = shared_.store.replica().empty(store::Collection::identities).value_or(false);
  while (!to_fetch_.empty() && customers.size() < kFetchAtOnce) {
    const auto next = customers.insert(to_fetch_.extract(to_fetch_.begin())).position;
    if (none) continue;
    const auto items =
        shared_.store.replica().briefs_of_customer(store::Collection::identities, *next);
    if (!items) return needs_.store_failed(items.error());
    for (const auto& stored : *items) {
      if (auto key = key_of_stored(stored)) keys.push_back(watch_.with_clock(std::move(*key)));
    }
  }
  watch_.update(customers, keys);
  tracker_.update_identities(customers, std::move(keys), now, learnt_);
  if (to_fetch_.empty()) forget_unknown_devices(now);
}

void Listening::load_learnt() {
  const auto rows = shared_.store.journal().states(StateRow::Kind::device);
  if (!rows) return needs_.store_failed(rows.error());
  for (const auto& row : *rows) {
    if (watch_.load(row)) continue;
    if (const auto refused = refused_device(row)) {
      devices_.refused(*refused);
      continue;
    }
    std::uint64_t device = 0;
    const char* end = row.key.data() + row.key.size();
    const bool whole = std::from_chars(row.key.data(), end, device).ptr == end;
    const auto learnt = row.value ? read_value(*row.value) : std::nullopt;
    // One that cannot be read is learnt again.
    if (whole && learnt) learnt_[device] = *learnt;
  }
}

void Listening::keep_learnt(const Now& now) {
  const auto news = tracker_.take_learnt();
  if (news.empty()) return;
  const auto kept = shared_.store.transaction([&](store::Tx& tx) {
    for (const auto& learnt : news) {
      learnt_[learnt.device] = learnt.what;
      tx.journal().put_state({StateRow::Kind::device, std::to_string(learnt.device),
                              learnt.customer, value_of(learnt.what)},
                             now.wall);
    }
  });
  if (!kept) needs_.store_failed(kept.error());
}

// While nobody consents because the CRM is silent or the clock is not set, everybody may come back.
void Listening::forget_unknown_devices(const Now& now) {
  if (learnt_.empty() || shared_.pipeline.gate().footing(now) != ConsentFooting::firm) return;
  const auto gone = tracker_.drop_unknown(learnt_);
  if (gone.empty()) return;
  const auto done = shared_.store.transaction([&](store::Tx& tx) {
    for (const auto device : gone) {
      tx.journal().put_state({StateRow::Kind::device, std::to_string(device), {}, {}}, now.wall);
    }
  });
  if (!done) needs_.store_failed(done.error());
}

}  // namespace welcome::daemon
