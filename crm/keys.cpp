// SPDX-License-Identifier: Apache-2.0
// Keys: with which boxes sign receipts, and with which the CRM signs.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sodium.h>
#include <sstream>

#include "contract/signing.h"
#include "core/hex.h"
#include "crm/crm.h"

namespace welcome::crm {

// ---- keys of boxes ----

std::optional<PinnedKey> Crm::box_key(const std::string& store, const std::string& box) {
  const Rows rows = db_.query(
      "SELECT public_key, trusted_at, other, other_at, former, former_until FROM box_key "
      "WHERE store = $1 AND box = $2",
      {store, box});
  if (rows.empty()) return std::nullopt;
  const auto key = contract::public_key_from_text(rows[0].text(0));
  if (!key) throw DatabaseError("the key of a box is damaged");
  PinnedKey out;
  out.key = *key;
  out.trusted_at = rows[0].text(1);
  out.other_at = rows[0].text(3);
  if (const auto other = contract::public_key_from_text(rows[0].text(2))) out.other = *other;
  if (const auto former = contract::public_key_from_text(rows[0].text(4))) out.former = *former;
  out.former_until = rows[0].text(5);
  return out;
}

void Crm::pin(const std::string& store, const std::string& box, const contract::Ed25519Public& key,
              WallTime now) {
  db_.execute(
      "INSERT INTO box_key (store, box, public_key, trusted_at) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (store, box) DO UPDATE SET public_key = excluded.public_key, "
      "trusted_at = excluded.trusted_at, other = NULLIF(box_key.other, excluded.public_key), "
      "former = NULL, former_until = NULL",
      {store, box, contract::public_key_text(key), contract::to_rfc3339(now)});
  if (db_.query("SELECT 1 FROM erasure_box WHERE store = $1 AND box = $2 AND refused IS NOT NULL",
                {store, box})
          .empty()) {
    return;
  }
  db_.execute(
      "UPDATE ledger SET handled = 0, note = '' WHERE store = $1 AND box = $2 "
      "AND type = 'com.welcomed.erasure.receipt.v1' AND note LIKE 'refused: %'",
      {store, box});
}

bool Crm::box_says_key(const std::string& store, const std::string& box,
                       const contract::Ed25519Public& key, WallTime now) {
  const auto known = box_key(store, box);
  if (!known) {
    pin(store, box, key, now);
    return true;
  }
  const bool trusted = known->key == key;
  const Value other = trusted ? Value(nullptr) : Value(contract::public_key_text(key));
  const Value other_at = trusted ? Value(nullptr) : Value(contract::to_rfc3339(now));
  if (trusted ? known->other.has_value() : known->other != key) {
    db_.execute("UPDATE box_key SET other = $3, other_at = $4 WHERE store = $1 AND box = $2",
                {store, box, other, other_at});
  }
  return trusted;
}

bool Crm::hand_over(const std::string& store, const std::string& box,
                    const contract::Ed25519Public& key, const std::vector<std::string>& vouched,
                    WallTime now) {
  const auto known = box_key(store, box);
  if (!known || known->key == key ||
      contract::vouched_key({settings_.tenant, store, box}, known->key, vouched) != key) {
    return false;
  }
  pin(store, box, key, now);
  const std::vector<Value> it{store, box, contract::public_key_text(known->key)};
  db_.execute(
      "UPDATE box_key SET other = NULL, other_at = NULL, former = $3, former_until = $4 "
      "WHERE store = $1 AND box = $2",
      {it[0], it[1], it[2], contract::to_rfc3339(now + kFormerKeyLife)});
  // It is the same box, with the same audit log.
  db_.execute(
      "UPDATE box_trail SET public_key = $4 WHERE store = $1 AND box = $2 AND "
      "public_key = $3",
      {it[0], it[1], it[2], contract::public_key_text(key)});
  return true;
}

bool Crm::signed_by_box(const std::string& store, const std::string& box, const std::string& text,
                        WallTime now) {
  const auto known = box_key(store, box);
  if (!known) return false;
  if (signed_with(known->key, box, text)) return true;
  return known->former && contract::to_rfc3339(now) < known->former_until &&
         signed_with(*known->former, box, text);
}

bool Crm::signed_with(const contract::Ed25519Public& key, const std::string& box,
                      const std::string& text) {
  contract::KeyRing ring;
  ring.pin(box, key);
  return ring.verify(text).has_value();
}

Result<void> Crm::trust_box(const std::string& store, const std::string& box,
                            const std::optional<contract::Ed25519Public>& key, WallTime now) {
  const auto known = box_key(store, box);
  if (!key && !known) return fail(ErrorCode::not_found, "this box has not said a key");
  const contract::Ed25519Public wanted = key ? *key : known->other.value_or(known->key);
  if (!known || known->key != wanted) pin(store, box, wanted, now);
  return {};
}

// ---- signatures ----

std::shared_ptr<const contract::Signer> Crm::signer() {
  const Rows rows =
      db_.query("SELECT id FROM signing_key WHERE used_from IS NOT NULL AND retired_at IS NULL");
  return rows.empty() ? nullptr : keys_.signer(rows[0].text(0));
}

bool Crm::holds_keys() {
  return !db_.query("SELECT 1 FROM signing_key WHERE seed <> '' LIMIT 1").empty();
}

void Crm::move_keys_out() {
  for (const Row& row : db_.query("SELECT id, seed FROM signing_key WHERE seed <> ''")) {
    SigningSeed seed{};
    if (!from_hex(row.text(1), seed)) throw DatabaseError("the signing key is damaged");
    keys_.keep(row.text(0), seed);
    sodium_memzero(seed.data(), seed.size());
    db_.execute("UPDATE signing_key SET seed = '' WHERE id = $1", {row.text(0)});
    must_scrub();
  }
}

void Crm::destroy_retired_keys() {
  for (const Row& row : db_.query("SELECT id FROM signing_key WHERE retired_at IS NOT NULL")) {
    keys_.destroy(row.text(0));
  }
}

Result<void> Crm::sign(json& record) {
  const auto key = signer();
  if (!key) return {};
  const auto text = key->sign(record.dump());
  if (!text) return tl::unexpected(text.error());
  record = json::parse(*text);
  return {};
}

std::string Crm::new_signing_key(WallTime now) {
  const std::string at = contract::to_rfc3339(now);
  std::array<std::uint8_t, 4> name{};
  randombytes_buf(name.data(), name.size());
  std::string id = "k-" + to_hex(name);
  auto seed = contract::Signer::new_seed();
  const contract::Signer made(id, seed);
  keys_.keep(id, seed);  // before the row: a key that nobody knows of does no harm
  sodium_memzero(seed.data(), seed.size());
  contract::KeyRing ring;
  ring.pin(id, made.public_key());
  db_.execute("INSERT INTO signing_key (id, public_key, seed, made_at) VALUES ($1, $2, '', $3)",
              {id, ring.to_text(), at});
  if (!signer() && !use_signing_key(id, now)) throw DatabaseError("the new key is not there");
  return id;
}

namespace {

bool among(const std::vector<std::string>& ids, std::string_view id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::string in_words(const std::vector<std::string>& ids) {
  std::string out;
  for (const std::string& id : ids) out += (out.empty() ? "" : " ") + id;
  return out;
}

void pin_all(const std::string& text, contract::KeyRing& out) {
  const auto ring = contract::KeyRing::parse(text);
  if (!ring) throw DatabaseError("a public key is damaged");
  for (const auto& [id, key] : ring->keys()) out.pin(id, key);
}

}  // namespace

std::string Crm::keys_in_use() {
  std::vector<std::string> ids;
  for (const Row& row :
       db_.query("SELECT id FROM signing_key WHERE retired_at IS NULL ORDER BY id")) {
    ids.push_back(row.text(0));
  }
  return in_words(ids);
}

void Crm::note_believed(const std::string& store, const std::string& box,
                        const std::vector<std::string>& keys) {
  db_.execute("UPDATE box SET believes = $3 WHERE store = $1 AND box = $2 AND believes <> $3",
              {store, box, in_words(keys)});
}

Crm::Believed Crm::believed(const std::string& store, const std::string& box) {
  Believed out;
  const Rows rows =
      db_.query("SELECT believes, last_word FROM box WHERE store = $1 AND box = $2", {store, box});
  if (rows.empty()) return out;
  std::istringstream words(rows[0].text(0));
  for (std::string id; words >> id;) out.keys.push_back(id);
  out.last_word = rows[0].text(1);
  const Rows now =
      db_.query("SELECT id FROM signing_key WHERE used_from IS NOT NULL AND retired_at IS NULL");
  out.signer = now.empty() || out.keys.empty() || among(out.keys, now[0].text(0));
  return out;
}

std::optional<contract::Taken::Keys> Crm::keys_to_tell(const std::string& store,
                                                       const std::string& box, WallTime now) {
  const Believed has = believed(store, box);
  if (has.keys.empty() || !has.signer || !signer()) return std::nullopt;
  const Position head =
      feed_.head(Collection::consents, feed_.scope_of(Collection::consents, {store, box}));
  const Rows confirmed = db_.query(
      "SELECT epoch, seq FROM confirmed WHERE store = $1 AND box = $2 AND collection = $3",
      {store, box, std::string(contract::to_string(Collection::consents))});
  const bool all_there = !confirmed.empty() && confirmed[0].text(0) == head.epoch &&
                         confirmed[0].integer(1) >= head.seq;
  contract::Taken::Keys out{{}, now};
  // What a technician pinned beside ours is none of our business until one of ours changes.
  bool as_it_is = true;
  for (const Row& row : db_.query("SELECT id, public_key, retired_at FROM signing_key")) {
    const bool has_it = among(has.keys, row.text(0));
    const bool over = !row.null(2) && (all_there || !has_it);
    if (!over) pin_all(row.text(1), out.ring);
    if (has_it == over) as_it_is = false;
  }
  if (as_it_is) return std::nullopt;
  return out;
}

std::vector<std::pair<std::string, std::string>> Crm::boxes_without(const std::string& key) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [store, box] : boxes("")) {
    const Believed has = believed(store, box);
    if (!has.keys.empty() && !among(has.keys, key)) out.emplace_back(store, box);
  }
  return out;
}

// A box that is away meanwhile believes the old key alone: it hears from that which one comes next.
void Crm::leave_last_words(const std::string& retiring, const std::string& next, WallTime now) {
  const auto old = keys_.signer(retiring);
  contract::Taken word;
  word.keys = contract::Taken::Keys{{}, now};
  for (const Row& row :
       db_.query("SELECT public_key FROM signing_key WHERE id = $1 OR id = $2", {retiring, next})) {
    pin_all(row.text(0), word.keys->ring);
  }
  for (const auto& [store, box] : boxes("")) {
    const Believed has = believed(store, box);
    if (!has.keys.empty() && !among(has.keys, retiring)) continue;
    const auto message = contract::encode_taken({settings_.tenant, store, box}, word, old.get());
    db_.execute("UPDATE box SET last_word = $3 WHERE store = $1 AND box = $2",
                {store, box, message.payload});
  }
}

Result<void> Crm::use_signing_key(const std::string& id, WallTime now) {
  const std::string at = contract::to_rfc3339(now);
  const auto old = signer();
  if (db_.execute("UPDATE signing_key SET used_from = $2 WHERE id = $1 AND retired_at IS NULL",
                  {id, at}) != 1) {
    return fail(ErrorCode::not_found, "there is no such key that is not retired");
  }
  if (old && old->key_id() != id) leave_last_words(old->key_id(), id, now);
  db_.execute(
      "UPDATE signing_key SET retired_at = $2 WHERE id <> $1 AND used_from IS NOT NULL "
      "AND retired_at IS NULL",
      {id, at});
  return {};
}

bool Crm::sign_consents_again(std::string& from, int at_most) {
  const auto key = signer();
  if (!key) return false;
  const Rows rows = db_.query(
      "SELECT key, customer, value FROM item WHERE collection = 'consents' AND key > $1 "
      "AND deleted = 0 ORDER BY key LIMIT $2",
      {from, std::int64_t{at_most}});
  for (const Row& row : rows) {
    from = row.text(0);
    const auto text = key->sign(row.text(2));
    if (!text) throw DatabaseError("a consent record cannot be signed");
    feed_.put(Collection::consents, from, row.text(1), *text);
  }
  return !rows.empty();
}

std::string Crm::public_keys() {
  std::string out;
  for (const Row& row : db_.query("SELECT public_key, used_from, retired_at FROM signing_key "
                                  "ORDER BY made_at")) {
    if (!row.null(2)) {
      out += "# retired " + row.text(2) + ": ";  // the key itself is part of the comment
    } else {
      out += row.null(1) ? "# not used yet\n" : "# used from " + row.text(1) + "\n";
    }
    out += row.text(0);
  }
  return out;
}

}  // namespace welcome::crm
