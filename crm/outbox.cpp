// SPDX-License-Identifier: Apache-2.0
#include "crm/outbox.h"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

#include "crm/wall_clock.h"
#include "mqtt/client.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

constexpr auto kAgainEvery = 2s;
constexpr std::size_t kAtOnce = 500;
constexpr auto kLease = 30s;

}  // namespace

Outbox::Outbox(Database& db, bool shared, Line line)
    : db_(db), shared_(shared), line_(std::move(line)) {}

void Outbox::line_is_up() { sent_ = 0; }

void Outbox::line_is_down() { again_.clear(); }

Outbox::Steady Outbox::deadline() const { return again_.empty() ? Steady::max() : next_again_; }

void Outbox::send(Steady now) {
  if (!again_.empty() && now >= next_again_) send_again(now);
  if (line_.room() == 0) return;
  if (shared_) {
    send_shared();
  } else {
    send_mine();
  }
}

void Outbox::arrived(std::int64_t position) { done_.push_back(position); }

bool Outbox::refused(std::int64_t position, std::uint8_t reason, Steady now) {
  const std::string why = mqtt::reason_text(reason);
  if (!mqtt::refused_for_good(reason) &&
      (mqtt::broker_is_full(reason) || refused_once_.insert(position).second)) {
    spdlog::warn("the broker does not take a message now: {}", why);
    again_.push_back(position);
    next_again_ = now + kAgainEvery;
    return true;
  }
  refused_once_.erase(position);
  refused_.emplace(position, why);
  return false;
}

void Outbox::send_mine() {
  for (const Row& row :
       db_.query("SELECT position, topic, payload, retain FROM outbox WHERE position > $1 "
                 "AND refused IS NULL ORDER BY position LIMIT $2",
                 {sent_, static_cast<std::int64_t>(std::min(line_.room(), kAtOnce))})) {
    sent_ = row.integer(0);
    publish(row);
  }
}

void Outbox::send_shared() {
  const WallTime now = wall_now();
  const std::vector<Value> free{contract::to_rfc3339(now), static_cast<std::int64_t>(kAtOnce)};
  constexpr const char* kFree =
      "SELECT position, topic, payload, retain FROM outbox WHERE (leased_until IS NULL OR "
      "leased_until < $1) AND refused IS NULL ORDER BY position LIMIT $2";
  if (db_.query(kFree, free).empty()) return;
  Rows rows;
  {
    Transaction transaction(db_);
    rows = db_.query(kFree, free);
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), line_.room())),
               rows.end());
    for (const Row& row : rows) {
      leased_.insert(row.integer(0));
      db_.execute("UPDATE outbox SET leased_until = $2 WHERE position = $1",
                  {row.integer(0), contract::to_rfc3339(now + kLease)});
    }
    transaction.commit();
  }
  for (const Row& row : rows) publish(row);
}

void Outbox::send_again(Steady now) {
  next_again_ = now + kAgainEvery;
  for (const std::int64_t position : std::exchange(again_, {})) {
    if (line_.room() == 0) {
      again_.push_back(position);
      continue;
    }
    for (const Row& row :
         db_.query("SELECT position, topic, payload, retain FROM outbox WHERE position = $1",
                   {position})) {
      publish(row);
    }
  }
}

void Outbox::publish(const Row& row) {
  // What is not retained an older version had for a customer's app (docs/decisions/0144).
  if (row.integer(3) == 0) return arrived(row.integer(0));
  contract::Message message;
  message.topic = row.text(1);
  message.payload = row.text(2);
  message.retain = true;
  message.content_type = contract::content_type_of(message.topic);
  line_.publish(message, row.integer(0));
}

// What has left leaves the database. Of what the broker never takes it is kept that it was, and
// why.
void Outbox::write_down() {
  if (done_.empty() && refused_.empty()) return;
  Transaction transaction(db_);
  for (const auto& [position, why] : refused_) {
    db_.execute("UPDATE outbox SET refused = $2, payload = '' WHERE position = $1",
                {position, why});
  }
  for (const std::int64_t position : done_) {
    db_.execute("DELETE FROM outbox WHERE position = $1", {position});
  }
  transaction.commit();
  for (const auto& [position, why] : refused_) leased_.erase(position);
  for (const std::int64_t position : done_) leased_.erase(position);
  done_.clear();
  refused_.clear();
}

void Outbox::give_back() {
  if (leased_.empty()) return;
  Transaction transaction(db_);
  for (const std::int64_t position : leased_) {
    db_.execute("UPDATE outbox SET leased_until = NULL WHERE position = $1", {position});
  }
  transaction.commit();
  leased_.clear();
  db_.announce();
}

}  // namespace welcome::crm
