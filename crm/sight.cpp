// SPDX-License-Identifier: Apache-2.0
#include "crm/sight.h"

#include <chrono>

#include "contract/contract.h"
#include "crm/setting.h"

namespace welcome::crm {
namespace {

std::string day_of(WallTime at) { return contract::to_rfc3339(at).substr(0, 10); }

}  // namespace

bool Sight::on() const { return setting(db_, "scope") == "visited"; }

std::int64_t Sight::keep_days() const {
  const std::string days = setting(db_, "profile_keep_days");
  return days.empty() ? kKeepDays : std::stoll(days);
}

void Sight::set(bool on, std::int64_t keep_days) {
  set_setting(db_, "scope", on ? "visited" : "all");
  set_setting(db_, "profile_keep_days", std::to_string(keep_days));
}

bool Sight::seen_again(const BoxKey& box, const std::string& customer, WallTime now) {
  return db_.execute(
             "UPDATE sight SET seen_on = $4 WHERE store = $1 AND box = $2 AND customer = $3",
             {box.first, box.second, customer, day_of(now)}) == 1;
}

void Sight::add(const BoxKey& box, const std::string& customer, std::int64_t seq, WallTime now) {
  places_.came(Collection::profiles, part_of(box), customer);
  db_.execute("INSERT INTO sight (store, box, customer, seen_on) VALUES ($1, $2, $3, $4)",
              {box.first, box.second, customer, day_of(now)});
  places_.changed(Collection::profiles, part_of(box), {customer, 0, seq, seq});
}

void Sight::remove(const BoxKey& box, const std::string& customer, std::int64_t live_seq,
                   std::int64_t seq) {
  db_.execute("DELETE FROM sight WHERE store = $1 AND box = $2 AND customer = $3",
              {box.first, box.second, customer});
  if (live_seq == 0) return;
  places_.left(Collection::profiles, part_of(box), customer, customer, seq);
  places_.changed(Collection::profiles, part_of(box), {customer, live_seq, 0, seq});
}

void Sight::changed(const Places::Step& step) {
  for (const BoxKey& box : boxes_that_saw(step.key)) {
    places_.changed(Collection::profiles, part_of(box), step);
  }
}

std::vector<BoxKey> Sight::boxes_that_saw(const std::string& customer) const {
  std::vector<BoxKey> out;
  for (const Row& row :
       db_.query("SELECT sight.store, sight.box FROM sight WHERE customer = $1", {customer})) {
    out.emplace_back(row.text(0), row.text(1));
  }
  return out;
}

std::vector<Sight::Seen> Sight::seen_in(const std::string& store) const {
  std::vector<Seen> out;
  for (const Row& row : db_.query("SELECT box, customer FROM sight WHERE store = $1", {store})) {
    out.push_back({{store, row.text(0)}, row.text(1)});
  }
  return out;
}

std::vector<Sight::Seen> Sight::old(WallTime now, int at_most) const {
  std::vector<Seen> out;
  for (const Row& row :
       db_.query("SELECT store, box, customer FROM sight WHERE seen_on < $1 "
                 "ORDER BY seen_on LIMIT $2",
                 {day_of(now - std::chrono::days(keep_days())), std::int64_t{at_most}})) {
    out.push_back({{row.text(0), row.text(1)}, row.text(2)});
  }
  return out;
}

// A deletion may not have come to all of them.
void Sight::forget(const std::string& customer) {
  for (const BoxKey& box : boxes_that_saw(customer)) {
    places_.cut(Collection::profiles, part_of(box));
  }
  db_.execute("DELETE FROM sight WHERE customer = $1", {customer});
}

void Sight::forget(const BoxKey& box) {
  db_.execute("DELETE FROM sight WHERE store = $1 AND box = $2", {box.first, box.second});
  places_.forget(Collection::profiles, part_of(box));
}

void Sight::forget_everybody() {
  db_.execute("DELETE FROM sight");
  db_.execute("DELETE FROM place WHERE collection = 'profiles' AND part LIKE '%/%'");
}

}  // namespace welcome::crm
