// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/cast.h"

#include <nlohmann/json.hpp>
#include <sodium.h>

#include "core/hash.h"

namespace welcome::recording {

using nlohmann::json;

namespace {

std::vector<Consent> consents(const ConsentGate& gate, const CustomerId& customer) {
  std::vector<Consent> all;
  for (const Purpose purpose : kAllPurposes) {
    const ConsentStanding s = gate.standing(customer, purpose);
    if (!s.given_at && !s.withdrawn_at) continue;
    all.push_back({purpose, s.given_at, s.withdrawn_at, s.expires_at});
  }
  return all;
}

// What staff wrote stays with staff: that there is a note is all that a rule may know.
std::optional<ItemText> without_note(const std::optional<std::string>& facts) {
  if (!facts) return std::nullopt;
  json j = json::parse(*facts, nullptr, false);
  if (!j.is_object()) return std::nullopt;
  if (const auto note = j.find("note"); note != j.end()) (*note)["text"] = "…";
  return ItemText{j.dump(-1, ' ', false, json::error_handler_t::replace)};
}

}  // namespace

std::optional<KnownProfile> known(const Profile* p) {
  if (p == nullptr) return std::nullopt;
  return KnownProfile{p->language,    p->tier,        p->points,        p->next_reward_points,
                      p->segments,    p->tags,        !p->name.empty(), !p->greeting.empty(),
                      p->preferences, p->not_today_at};
}

std::string staff_alias(const std::string& staff) {
  return staff.empty() ? std::string()
                       : "staff-" + std::to_string(stable_hash(0, {staff}) % 1'000'000);
}

Cast::Cast(store::Store& store) : store_(store) {
  const auto rows = store_.journal().states(StateRow::Kind::recording);
  if (!rows) return;
  for (const StateRow& row : *rows) {
    const auto stored = decode_stored_key(row.key, *row.value);
    if (!stored) continue;
    keys_[row.key] = {row.customer, stored->key};
    key_ids_[row.customer] = row.key;
  }
}

void Cast::begin_file() {
  numbers_.clear();
  left_out_.clear();
  next_ = 1;
  randombytes_buf(&salt_, sizeof salt_);
}

std::optional<Who> Cast::who(const CustomerId& customer) const {
  const auto found = numbers_.find(customer);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

const CardKey& Cast::key_of(const CustomerId& customer) {
  auto [id, fresh] = key_ids_.try_emplace(customer);
  if (fresh) {
    CardKey key = new_card_key();
    id->second = key.id;
    keys_[id->second] = {customer, std::move(key)};
  }
  return keys_.at(id->second).second;
}

std::uint64_t Cast::salted(std::uint64_t alias) const {
  return stable_hash(salt_, {std::to_string(alias)});
}

Sealed Cast::sealed(const CustomerId& customer, std::string_view plain) {
  return seal(key_of(customer), plain);
}

std::optional<Cast::Introduced> Cast::introduce(const CustomerId& customer,
                                                const Pipeline& pipeline,
                                                Pipeline::Directory& directory) {
  if (const auto number = who(customer)) return Introduced{*number, {}};
  if (pipeline.gate().forgotten(customer) || left_out_.contains(customer)) return std::nullopt;
  const CardFace face{salted(store_alias(pipeline.policy(), customer)),
                      consents(pipeline.gate(), customer), known(directory.profile(customer)),
                      without_note(directory.facts(customer))};
  const CardKey& key = key_of(customer);
  new_keys_.push_back(key.id);
  const Who number = next_++;
  numbers_[customer] = number;
  return Introduced{number, Card{number, key.id, seal(key, encode(face))}};
}

void Cast::forget(const CustomerId& customer) {
  // Not once more in this file: a replay would meet her in the middle of a visit.
  if (numbers_.erase(customer) > 0) left_out_.insert(customer);
  const auto id = key_ids_.find(customer);
  if (id == key_ids_.end()) return;
  keys_.erase(id->second);
  key_ids_.erase(id);
}

void Cast::keep_keys(const std::string& day, const Now& now) {
  for (const std::string& id : std::exchange(new_keys_, {})) {
    const auto key = keys_.find(id);
    if (key == keys_.end()) continue;  // forgotten since
    const auto& [customer, secret] = key->second;
    const std::string value = encode(StoredKey{secret, day});
    const auto kept = store_.transaction([&, owner = customer](store::Tx& tx) {
      tx.journal().put_state({StateRow::Kind::recording, id, owner, value}, now.wall);
    });
    if (!kept) new_keys_.push_back(id);  // a disk in trouble: another time
  }
}

void Cast::drop_keys(const std::string& first_kept, WallTime now) {
  const auto rows = store_.journal().states(StateRow::Kind::recording);
  if (!rows) return;
  std::vector<const StateRow*> old;
  for (const StateRow& row : *rows) {
    const auto stored = decode_stored_key(row.key, *row.value);
    if (stored && stored->day >= first_kept) continue;
    const auto id = key_ids_.find(row.customer);
    const bool newest = id != key_ids_.end() && id->second == row.key;
    if (newest && plays(row.customer)) continue;  // in use, not yet written down
    old.push_back(&row);
  }
  if (old.empty()) return;
  const auto gone = store_.transaction([&](store::Tx& tx) {
    for (const StateRow* row : old) {
      tx.journal().put_state({StateRow::Kind::recording, row->key, row->customer, {}}, now);
    }
  });
  if (!gone) return;  // a disk in trouble: another time
  for (const StateRow* row : old) {
    const auto id = key_ids_.find(row->customer);
    if (id != key_ids_.end() && id->second == row->key) key_ids_.erase(id);
    keys_.erase(row->key);
  }
}

}  // namespace welcome::recording
