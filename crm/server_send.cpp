// SPDX-License-Identifier: Apache-2.0
// What a serving CRM sends: the feed, commands, controls, and what its outbox holds.

#include <algorithm>
#include <chrono>
#include <map>
#include <spdlog/spdlog.h>
#include <tuple>
#include <utility>

#include "crm/server.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kControlsEvery = 1s;
constexpr auto kCommandPatience = 30s;  // a box that has not answered is told again
constexpr auto kSnapshotLife = 1h;      // boxes refuse what was signed long ago

bool urgent(Collection collection) {
  return collection == Collection::consents || collection == Collection::policy;
}

}  // namespace

Server::Batches Server::packed(const Position& head, std::vector<contract::FeedBatch> batches,
                               const Scope& scope) {
  const auto key = crm_.signer();
  const WallTime now = wall_now();
  Batches out;
  for (contract::FeedBatch& batch : batches) {
    const auto without = std::count_if(
        batch.items.begin(), batch.items.end(),
        [](const contract::FeedItem& item) { return !item.deleted && item.value.empty(); });
    if (without > 0) {
      counters_.too_large += static_cast<std::uint64_t>(without);
      spdlog::error("{} of {}: larger than what the broker takes; boxes set them aside", without,
                    contract::to_string(batch.collection));
    }
    if (key) {
      batch.head = contract::FeedHead{
          crm_.settings().tenant,
          scope ? contract::address_text(address(*scope)) : std::string(contract::kScopeAll),
          static_cast<std::uint64_t>(head.seq), head.digest, now};
    }
    out.push_back(std::make_shared<const Parcel>(
        Parcel{batch.collection, batch.epoch, batch.to_seq,
               contract::encode_feed({}, batch, key.get()).payload}));
  }
  return out;
}

// "This is where the feed stands, and I am alive."
Server::Batches Server::beat(Collection collection, const Scope& scope) {
  const Position head = crm_.feed().head(collection, scope);
  return packed(head, delta(collection, head, head.seq, {}), scope);
}

Server::Batches Server::delta_since(std::int64_t seq, Collection collection, const Position& head,
                                    const Scope& scope) {
  return packed(
      head, delta(collection, head, seq, crm_.feed().since(collection, seq, scope), batch_bytes()),
      scope);
}

// What the broker takes says its CONNACK.
std::size_t Server::batch_bytes() const {
  const std::size_t said = client_.up() ? client_.limits().packet_bytes : SIZE_MAX;
  const std::size_t packet = std::min(said, taken_bytes_);
  return std::min(kBatchBytes, packet > kBatchFrame ? packet - kBatchFrame : 0);
}

// A message that the broker does not take must neither be lost without a word nor hold up others.
void Server::published(std::int64_t tag, std::uint8_t reason) {
  const bool row = tag > kNoRow;
  if (reason < mqtt::kRefused) {
    if (row) outbox_.arrived(tag);
    return;
  }
  if (row && outbox_.refused(tag, reason, steady_clock::now())) return;
  ++counters_.undeliverable;
  spdlog::error("a message is set aside, the broker does not take it: {}",
                mqtt::reason_text(reason));
  // Boxes ask for it again, and then it goes in smaller parts.
  if (tag < kNoRow && reason == mqtt::kPacketTooLarge) {
    taken_bytes_ = std::min(taken_bytes_, static_cast<std::size_t>(-tag) / 2);
    snapshots_.clear();
  }
}

Server::Batches Server::snapshot_of(Collection collection, const Position& head,
                                    const Scope& scope) {
  if (scope) {
    return packed(head,
                  snapshot(collection, head, crm_.feed().live(collection, scope), batch_bytes()),
                  scope);
  }
  const auto key = crm_.signer();
  const std::string signed_by = key ? key->key_id() : "";
  Snapshot& kept = snapshots_[collection];
  const auto now = steady_clock::now();
  if (kept.batches.empty() || !(kept.at == head) || kept.key != signed_by ||
      now - kept.made > kSnapshotLife) {
    kept = {head, signed_by, now,
            packed(head, snapshot(collection, head, crm_.feed().live(collection), batch_bytes()))};
  }
  return kept.batches;
}

// The batches all lead to the same place, which is where the box is from now on.
void Server::tell(const BoxKey& box, const Batches& batches) {
  const Parcel& last = *batches.back();
  db_.execute(
      "INSERT INTO told (store, box, collection, epoch, seq) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (store, box, collection) DO UPDATE SET epoch = excluded.epoch, "
      "seq = excluded.seq",
      {box.first, box.second, std::string(contract::to_string(last.collection)), last.epoch,
       static_cast<std::int64_t>(last.to_seq)});
  for (const auto& parcel : batches) {
    (urgent(parcel->collection) ? urgent_ : bulk_).add(box, parcel);
  }
}

// Who was told something of an epoch that is over knows nothing of this one.
void Server::forget_old_epochs() {
  constexpr const char* kOld =
      "SELECT told.store, told.box FROM told JOIN feed ON feed.collection = told.collection "
      "WHERE told.epoch <> feed.epoch LIMIT 1";
  if (db_.query(kOld).empty()) return;
  Transaction transaction(db_);
  db_.execute(
      "DELETE FROM told WHERE epoch <> (SELECT feed.epoch FROM feed WHERE feed.collection = "
      "told.collection)");
  transaction.commit();
  next_heartbeat_ = {};
}

// Boxes that were told less than there is. Where profiles come on sight, each has its own place in
// them.
Rows Server::behind() {
  constexpr const char* kBehind =
      "SELECT told.store, told.box, told.collection, told.seq FROM told "
      "JOIN feed ON feed.collection = told.collection "
      "LEFT JOIN sight_box ON sight_box.store = told.store AND sight_box.box = told.box "
      "WHERE told.epoch = feed.epoch AND told.seq <> CASE WHEN told.collection = $1 "
      "THEN COALESCE(sight_box.seq, 0) ELSE feed.seq END";
  const std::string on_sight(contract::to_string(Collection::profiles));
  return db_.query(kBehind, {crm_.feed().sight().on() ? on_sight : std::string()});
}

void Server::push_changes() {
  if (!client_.up()) return;
  forget_old_epochs();
  if (behind().empty()) return;
  Transaction transaction(db_);
  std::map<std::tuple<Collection, std::int64_t, Scope>, Batches> deltas;
  for (const Row& row : behind()) {
    const auto collection = contract::collection_from_string(row.text(2)).value();
    const BoxKey box{row.text(0), row.text(1)};
    const Scope scope = crm_.feed().scope_of(collection, box);
    Batches& batches = deltas[{collection, row.integer(3), scope}];
    if (batches.empty()) {
      batches = delta_since(row.integer(3), collection, crm_.feed().head(collection, scope), scope);
    }
    tell(box, batches);
    ++counters_.deltas;
  }
  transaction.commit();
}

// A command is sent when the box comes, and again when it has not answered for a while.
void Server::push_commands() {
  const WallTime now = wall_now();
  const std::vector<Value> times{contract::to_rfc3339(now - kCommandPatience),
                                 contract::to_rfc3339(now)};
  constexpr const char* kDue =
      "SELECT command.id, command.store, command.box, command.payload FROM command "
      "JOIN box ON box.store = command.store AND box.box = command.box "
      "WHERE box.state = 'online' AND (sent_at IS NULL OR sent_at < $1) "
      "AND (expires_at IS NULL OR expires_at > $2) ORDER BY made_at, command.id";
  if (!client_.up() || db_.query(kDue, times).empty()) return;
  Transaction transaction(db_);
  const auto key = crm_.signer();
  db_.execute("DELETE FROM command WHERE expires_at <= $1", {contract::to_rfc3339(now)});
  for (const Row& row : db_.query(kDue, times)) {
    const contract::BoxAddress to = address({row.text(1), row.text(2)});
    db_.execute("UPDATE command SET sent_at = $4 WHERE id = $1 AND store = $2 AND box = $3",
                {row.text(0), to.store, to.box, contract::to_rfc3339(now)});
    contract::Message message;
    message.topic = contract::command_topic(to);
    message.payload =
        contract::sent_command(row.text(3), to, now + contract::kCommandLife, key.get());
    message.response_topic = contract::response_topic(to);
    message.correlation = row.text(0);
    commands_.push_back(std::move(message));
  }
  transaction.commit();
}

// Tells every box where the feed stands, with one message for all of them. A box that is not there
// says hello, and knows by the same message that consent is fresh. One that was admitted while it
// was on the line learns so by it.
void Server::heartbeat() {
  const Rows boxes = db_.query("SELECT store, box FROM box WHERE state IN ('online', 'new')");
  if (boxes.empty()) return;
  for (const Collection collection : contract::kAllCollections) {
    Lane& lane = urgent(collection) ? urgent_ : bulk_;
    const bool each = collection == Collection::profiles && crm_.feed().sight().on();
    std::shared_ptr<const Parcel> parcel;
    for (const Row& row : boxes) {
      const BoxKey box{row.text(0), row.text(1)};
      if (each || !parcel) parcel = beat(collection, each ? Scope(box) : std::nullopt).back();
      lane.add(box, parcel);
    }
  }
  for (const Row& row : db_.query("SELECT store, box FROM box WHERE state = 'online' AND "
                                  "believes NOT IN ('', $1)",
                                  {crm_.keys_in_use()})) {
    offer_keys({row.text(0), row.text(1)});
  }
}

// The broker retains one message per control topic; a box that is new needs them all.
void Server::send_controls() {
  controls_due_ = false;
  next_controls_ = steady_clock::now() + kControlsEvery;
  const auto key = crm_.signer();
  for (const contract::Control& control : crm_.controls()) {
    commands_.push_back(contract::encode_control(control, key.get()));
  }
}

// What is committed. Not kept: a box that does not hear it sends the event again.
void Server::send_taken() {
  if (taken_.empty() || client_.room() == 0) return;
  const auto key = crm_.signer();
  while (client_.room() > 0 && !taken_.empty()) {
    const auto box = taken_.begin();
    contract::Taken some;
    if (auto ask = asks_.extract(box->first)) some.audit = std::move(ask.mapped());
    if (auto keys = keys_.extract(box->first)) some.keys = std::move(keys.mapped());
    while (!box->second.empty() && some.ids.size() < contract::kTakenAtOnce) {
      some.ids.push_back(std::move(box->second.front()));
      box->second.pop_front();
    }
    publish(contract::encode_taken(address(box->first), some, key.get()), kNoRow);
    if (box->second.empty()) taken_.erase(box);
  }
}

void Server::publish(const contract::Message& message, std::int64_t tag) {
  mqtt::Publish out;
  out.topic = message.topic;
  out.payload = message.payload;
  out.retain = message.retain;
  out.content_type = message.content_type;
  out.response_topic = message.response_topic;
  out.correlation = message.correlation;
  if (message.expires_at) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*message.expires_at - wall_now());
    out.expiry_s = static_cast<std::uint32_t>(std::max<std::int64_t>(left.count(), 1));
  }
  client_.publish(std::move(out), tag);
  ++counters_.sent;
}

void Server::send() {
  send_taken();
  while (client_.room() > 0 && !commands_.empty()) {
    publish(commands_.front(), kNoRow);
    commands_.pop_front();
  }
  const auto drain = [this](Lane& lane) {
    while (client_.room() > 0 && !lane.empty()) {
      const auto [box, parcel] = lane.take();
      if (!boxes_.admitted(box.first, box.second)) continue;  // revoked a moment ago
      contract::Message message;
      message.topic = contract::feed_topic(address(box), parcel->collection);
      message.payload = parcel->payload;
      publish(message, -static_cast<std::int64_t>(parcel->payload.size()));
    }
  };
  drain(urgent_);
  outbox_.send(steady_clock::now());
  drain(bulk_);
}

}  // namespace welcome::crm
