// SPDX-License-Identifier: Apache-2.0
#include "crm/sight.h"

#include <chrono>

#include "contract/contract.h"
#include "contract/digest.h"

namespace welcome::crm {
namespace {

std::string day_of(WallTime at) { return contract::to_rfc3339(at).substr(0, 10); }

contract::Digest digest_of(const std::string& text) {
  const auto digest = contract::Digest::from_hex(text);
  if (!digest) throw DatabaseError("the digest of a box's profiles is damaged");
  return *digest;
}

void toggle(contract::Digest& digest, const std::string& key, std::int64_t seq) {
  if (seq != 0) digest.toggle(key, static_cast<std::uint64_t>(seq));
}

std::string setting(Database& db, const char* name) {
  const Rows rows = db.query("SELECT value FROM setting WHERE name = $1", {std::string(name)});
  return rows.empty() ? std::string() : rows[0].text(0);
}

}  // namespace

bool Sight::on() const { return setting(db_, "scope") == "visited"; }

std::int64_t Sight::keep_days() const {
  const std::string days = setting(db_, "profile_keep_days");
  return days.empty() ? kKeepDays : std::stoll(days);
}

void Sight::set(bool on, std::int64_t keep_days) {
  constexpr const char* kPut =
      "INSERT INTO setting (name, value) VALUES ($1, $2) "
      "ON CONFLICT (name) DO UPDATE SET value = excluded.value";
  db_.execute(kPut, {std::string("scope"), std::string(on ? "visited" : "all")});
  db_.execute(kPut, {std::string("profile_keep_days"), std::to_string(keep_days)});
}

Sight::Place Sight::place(const BoxKey& box) const {
  const Rows rows = db_.query("SELECT seq, digest FROM sight_box WHERE store = $1 AND box = $2",
                              {box.first, box.second});
  if (rows.empty()) return {0, contract::Digest().hex()};
  return {rows[0].integer(0), rows[0].text(1)};
}

void Sight::save(const BoxKey& box, const Place& place) {
  db_.execute(
      "INSERT INTO sight_box (store, box, seq, digest) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (store, box) DO UPDATE SET seq = excluded.seq, digest = excluded.digest",
      {box.first, box.second, place.seq, place.digest});
}

bool Sight::seen_again(const BoxKey& box, const std::string& customer, WallTime now) {
  return db_.execute(
             "UPDATE sight SET seen_on = $4 WHERE store = $1 AND box = $2 AND customer = $3",
             {box.first, box.second, customer, day_of(now)}) == 1;
}

void Sight::add(const BoxKey& box, const std::string& customer, std::int64_t seq, WallTime now) {
  const std::vector<Value> whose{box.first, box.second, customer};
  db_.execute("DELETE FROM sight_gone WHERE store = $1 AND box = $2 AND customer = $3", whose);
  db_.execute("INSERT INTO sight (store, box, customer, seen_on) VALUES ($1, $2, $3, $4)",
              {box.first, box.second, customer, day_of(now)});
  contract::Digest digest = digest_of(place(box).digest);
  toggle(digest, customer, seq);
  save(box, {seq, digest.hex()});
}

void Sight::remove(const BoxKey& box, const std::string& customer, std::int64_t live_seq,
                   std::int64_t seq) {
  db_.execute("DELETE FROM sight WHERE store = $1 AND box = $2 AND customer = $3",
              {box.first, box.second, customer});
  if (live_seq == 0) return;
  db_.execute("INSERT INTO sight_gone (store, box, customer, seq) VALUES ($1, $2, $3, $4)",
              {box.first, box.second, customer, seq});
  contract::Digest digest = digest_of(place(box).digest);
  toggle(digest, customer, live_seq);
  save(box, {seq, digest.hex()});
}

void Sight::changed(const std::string& customer, std::int64_t old_live_seq, std::int64_t live_seq,
                    std::int64_t seq) {
  for (const Row& row :
       db_.query("SELECT sight.store, sight.box FROM sight WHERE customer = $1", {customer})) {
    const BoxKey box{row.text(0), row.text(1)};
    contract::Digest digest = digest_of(place(box).digest);
    toggle(digest, customer, old_live_seq);
    toggle(digest, customer, live_seq);
    save(box, {seq, digest.hex()});
  }
}

std::vector<Sight::Old> Sight::old(WallTime now, int at_most) const {
  std::vector<Old> out;
  for (const Row& row :
       db_.query("SELECT store, box, customer FROM sight WHERE seen_on < $1 "
                 "ORDER BY seen_on LIMIT $2",
                 {day_of(now - std::chrono::days(keep_days())), std::int64_t{at_most}})) {
    out.push_back({{row.text(0), row.text(1)}, row.text(2)});
  }
  return out;
}

void Sight::confirmed(const BoxKey& box, std::int64_t seq) {
  db_.execute("DELETE FROM sight_gone WHERE store = $1 AND box = $2 AND seq <= $3",
              {box.first, box.second, seq});
}

void Sight::forget(const std::string& customer) {
  db_.execute("DELETE FROM sight WHERE customer = $1", {customer});
  db_.execute("DELETE FROM sight_gone WHERE customer = $1", {customer});
}

void Sight::forget(const BoxKey& box) {
  const std::vector<Value> whose{box.first, box.second};
  db_.execute("DELETE FROM sight WHERE store = $1 AND box = $2", whose);
  db_.execute("DELETE FROM sight_gone WHERE store = $1 AND box = $2", whose);
  db_.execute("DELETE FROM sight_box WHERE store = $1 AND box = $2", whose);
}

void Sight::new_epoch() { db_.execute("DELETE FROM sight_gone"); }

}  // namespace welcome::crm
