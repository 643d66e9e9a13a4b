// SPDX-License-Identifier: Apache-2.0
#include "crm/places.h"

#include <algorithm>

#include "contract/contract.h"
#include "contract/digest.h"

namespace welcome::crm {
namespace {

contract::Digest digest_of(const std::string& text) {
  const auto digest = contract::Digest::from_hex(text);
  if (!digest) throw DatabaseError("the digest of a part of the feed is damaged");
  return *digest;
}

void toggle(contract::Digest& digest, const std::string& key, std::int64_t seq) {
  if (seq != 0) digest.toggle(key, static_cast<std::uint64_t>(seq));
}

}  // namespace

Place::Place() : digest(contract::Digest().hex()) {}

void Place::add(const Place& other) {
  seq = std::max(seq, other.seq);
  oldest = std::max(oldest, other.oldest);
  contract::Digest sum = digest_of(digest);
  sum.add(digest_of(other.digest));
  digest = sum.hex();
}

Place Places::of(Collection collection, const std::string& part) const {
  Place out;
  for (const Row& row :
       db_.query("SELECT seq, oldest, digest FROM place WHERE collection = $1 AND part = $2",
                 {name_of(collection), part})) {
    out.seq = row.integer(0);
    out.oldest = row.integer(1);
    out.digest = row.text(2);
  }
  return out;
}

void Places::save(Collection collection, const std::string& part, const Place& place) {
  db_.execute(
      "INSERT INTO place (collection, part, seq, oldest, digest) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (collection, part) DO UPDATE SET seq = excluded.seq, oldest = excluded.oldest, "
      "digest = excluded.digest",
      {name_of(collection), part, place.seq, place.oldest, place.digest});
}

void Places::begin(Collection collection, const std::string& part, std::int64_t seq) {
  Place place;
  place.seq = place.oldest = seq;
  save(collection, part, place);
}

void Places::changed(Collection collection, const std::string& part, const Step& step) {
  Place place = of(collection, part);
  contract::Digest digest = digest_of(place.digest);
  toggle(digest, step.key, step.old_live_seq);
  toggle(digest, step.key, step.live_seq);
  place.seq = std::max(place.seq, step.seq);
  place.digest = digest.hex();
  save(collection, part, place);
}

void Places::left(Collection collection, const std::string& part, const std::string& key,
                  const std::string& customer, std::int64_t seq) {
  db_.execute(
      "INSERT INTO gone (collection, part, key, customer, seq) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (collection, part, key) DO UPDATE SET customer = excluded.customer, "
      "seq = excluded.seq",
      {name_of(collection), part, key, customer, seq});
}

void Places::came(Collection collection, const std::string& part, const std::string& key) {
  db_.execute("DELETE FROM gone WHERE collection = $1 AND part = $2 AND key = $3",
              {name_of(collection), part, key});
}

void Places::confirmed(Collection collection, const std::string& part, std::int64_t seq) {
  const std::vector<Value> it{name_of(collection), part, seq};
  const std::int64_t newest =
      db_.query("SELECT MAX(seq) FROM gone WHERE collection = $1 AND part = $2 AND seq <= $3", it)
          .at(0)
          .integer(0);
  if (newest == 0) return;
  carried_out(collection, part, newest);
  db_.execute("DELETE FROM gone WHERE collection = $1 AND part = $2 AND seq <= $3", it);
}

void Places::carried_out(Collection collection, const std::string& part, std::int64_t seq) {
  db_.execute("UPDATE place SET oldest = $3 WHERE collection = $1 AND part = $2 AND oldest < $3",
              {name_of(collection), part, seq});
}

void Places::purge(const std::string& customer) {
  db_.execute(
      "UPDATE place SET oldest = seq WHERE EXISTS (SELECT 1 FROM gone WHERE gone.customer = $1 "
      "AND gone.collection = place.collection AND gone.part = place.part)",
      {customer});
  db_.execute("DELETE FROM gone WHERE customer = $1", {customer});
}

void Places::cut(Collection collection, const std::string& part) {
  db_.execute("UPDATE place SET oldest = seq WHERE collection = $1 AND part = $2",
              {name_of(collection), part});
}

void Places::forget(Collection collection, const std::string& part) {
  const std::vector<Value> it{name_of(collection), part};
  db_.execute("DELETE FROM gone WHERE collection = $1 AND part = $2", it);
  db_.execute("DELETE FROM place WHERE collection = $1 AND part = $2", it);
}

void Places::new_epoch(Collection collection) {
  db_.execute("DELETE FROM gone WHERE collection = $1", {name_of(collection)});
}

}  // namespace welcome::crm
