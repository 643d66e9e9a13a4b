// SPDX-License-Identifier: Apache-2.0
// What a serving CRM sends: the feed, commands, controls, and what was taken.

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <numeric>
#include <spdlog/spdlog.h>
#include <tuple>
#include <utility>

#include "crm/releases.h"
#include "crm/server.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kControlsEvery = 1s;
constexpr auto kCommandPatience = 30s;  // a box that has not answered is told again
constexpr std::size_t kSnapshotBytes = std::size_t{256}
                                       << 20U;  // that are kept, of all regions and stores
constexpr auto kSnapshotLife = 1h;              // boxes refuse what was signed long ago

bool urgent(Collection collection) {
  return collection == Collection::consents || collection == Collection::policy ||
         collection == Collection::staff;
}

}  // namespace

std::string Server::name_of(const Scope& scope) const {
  switch (scope.kind) {
    case Scope::Kind::box:
      return contract::address_text(address(scope.box));
    case Scope::Kind::region:
      return contract::region_scope(scope.region);
    case Scope::Kind::store:
      return scope.region;
    case Scope::Kind::all:
      break;
  }
  return std::string(contract::kScopeAll);
}

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
      batch.head = contract::FeedHead{crm_.settings().tenant, name_of(scope),
                                      static_cast<std::uint64_t>(head.seq), head.digest, now};
    }
    out.push_back(std::make_shared<const Parcel>(std::move(batch), key));
  }
  return out;
}

bool Server::Snapshot::good(const Position& head, const std::string& signed_by, Steady now) const {
  return at == head && key == signed_by && now - made <= kSnapshotLife;
}

// "This is where the feed stands, and I am alive." By that of the consents a box knows how fresh
// they are, so it is signed each time. The others let it notice what it has missed, and the old one
// says that as well: with profiles on sight a thousand boxes have one each.
Server::Batches Server::beat(Collection collection, const Position& head, const Scope& scope) {
  const auto make = [&] { return packed(head, delta(collection, head, head.seq, {}), scope); };
  if (collection == Collection::consents) return make();
  const auto key = crm_.signer();
  const std::string signed_by = key ? key->key_id() : "";
  const auto now = steady_clock::now();
  Snapshot& last = beats_[{collection, scope}];
  if (!last.good(head, signed_by, now)) last = {head, signed_by, now, make()};
  return last.batches;
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

// What the broker does not take must not be lost without a word, and holds up nothing else.
void Server::published(std::int64_t tag, std::uint8_t reason) {
  if (reason < mqtt::kRefused) return;
  ++counters_.undeliverable;
  if (tag == kControl) {
    if (++controls_refused_ > 1) return;  // one line for all of them
    spdlog::error(
        "the broker does not take control messages, which go again with the next "
        "heartbeat: {}",
        mqtt::reason_text(reason));
    return;
  }
  spdlog::error("the broker does not take a message: {}", mqtt::reason_text(reason));
  // Boxes ask for it again, and then it goes in smaller parts.
  if (tag < kAnything && reason == mqtt::kPacketTooLarge) {
    taken_bytes_ = std::min(taken_bytes_, static_cast<std::size_t>(-tag) / 2);
    snapshots_.clear();
  }
}

Server::Batches Server::snapshot_of(Collection collection, const Position& head,
                                    const Scope& scope) {
  const auto make = [&] {
    return packed(head,
                  snapshot(collection, head, crm_.feed().live(collection, scope), batch_bytes()),
                  scope);
  };
  if (scope.kind == Scope::Kind::box) return make();
  const auto key = crm_.signer();
  const std::string signed_by = key ? key->key_id() : "";
  const auto now = steady_clock::now();
  const auto known = snapshots_.find({collection, scope});
  if (known != snapshots_.end() && known->second.good(head, signed_by, now)) {
    return known->second.batches;
  }
  snapshots_[{collection, scope}] = {head, signed_by, now, make()};
  forget_snapshots({collection, scope});
  return snapshots_[{collection, scope}].batches;
}

// When all boxes come at once, the snapshots of all regions and stores are as large as the
// database.
void Server::forget_snapshots(const std::pair<Collection, Scope>& but) {
  const auto bytes_of = [](const Snapshot& snapshot) {
    return std::accumulate(
        snapshot.batches.begin(), snapshot.batches.end(), std::size_t{0},
        [](std::size_t sum, const auto& parcel) { return sum + parcel->bytes(); });
  };
  std::size_t bytes = 0;
  for (const auto& [what, snapshot] : snapshots_) {
    if (what.second.kind != Scope::Kind::all) bytes += bytes_of(snapshot);
  }
  while (bytes > kSnapshotBytes) {
    auto oldest = snapshots_.end();
    for (auto it = snapshots_.begin(); it != snapshots_.end(); ++it) {
      if (it->first == but || it->first.second.kind == Scope::Kind::all) continue;
      if (oldest == snapshots_.end() || it->second.made < oldest->second.made) oldest = it;
    }
    if (oldest == snapshots_.end()) return;
    bytes -= bytes_of(oldest->second);
    snapshots_.erase(oldest);
  }
}

// The batches all lead to the same place, which is where the box is from now on.
void Server::tell(const BoxKey& box, const Batches& batches) {
  const Parcel& last = *batches.back();
  db_.execute(
      "INSERT INTO told (store, box, collection, epoch, seq) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (store, box, collection) DO UPDATE SET epoch = excluded.epoch, "
      "seq = excluded.seq",
      {box.first, box.second, std::string(contract::to_string(last.collection())), last.epoch(),
       static_cast<std::int64_t>(last.to_seq())});
  for (const auto& parcel : batches) {
    (urgent(parcel->collection()) ? urgent_ : bulk_).add(box, parcel);
  }
}

std::vector<Server::Told> Server::told_otherwise(bool with_staff) {
  std::vector<Told> out;
  for (const Row& row :
       db_.query("SELECT told.store, told.box, told.collection, told.epoch, told.seq FROM told "
                 "JOIN feed ON feed.collection = told.collection "
                 "WHERE (told.epoch <> feed.epoch OR told.seq <> feed.seq) "
                 "AND (told.collection <> 'staff' OR $1 = 1)",
                 {std::int64_t{with_staff ? 1 : 0}})) {
    out.push_back({{row.text(0), row.text(1)},
                   contract::collection_from_string(row.text(2)).value(),
                   row.text(3),
                   row.integer(4)});
  }
  return out;
}

// Who was told something of an epoch that is over knows nothing of this one.
void Server::forget_old_epochs(Heads& heads, const std::vector<Told>& told) {
  std::vector<Told> old;
  std::copy_if(told.begin(), told.end(), std::back_inserter(old), [&](const Told& one) {
    return one.epoch != heads.of(one.collection, one.box).epoch;
  });
  if (old.empty()) return;
  Transaction transaction(db_);
  for (const Told& one : old) {
    db_.execute("DELETE FROM told WHERE store = $1 AND box = $2 AND collection = $3 AND epoch = $4",
                {one.box.first, one.box.second, std::string(contract::to_string(one.collection)),
                 one.epoch});
  }
  transaction.commit();
  next_heartbeat_ = {};
}

// Boxes that were told less than there is.
std::vector<Server::Told> Server::behind(Heads& heads, std::vector<Told> told) {
  std::erase_if(told, [&](const Told& one) {
    const Position& head = heads.of(one.collection, one.box);
    return one.epoch != head.epoch || one.seq == head.seq;
  });
  return told;
}

void Server::push_changes() {
  if (!client_.up()) return;
  const Position staff = crm_.feed().head(Collection::staff);
  const bool with_staff = staff != staff_;
  {
    auto told = told_otherwise(with_staff);
    bool anybody = false;
    if (!told.empty()) {
      Heads heads = crm_.feed().heads();
      forget_old_epochs(heads, told);
      anybody = !behind(heads, std::move(told)).empty();
    }
    if (!anybody) {
      staff_ = staff;
      return;
    }
  }
  Transaction transaction(db_);
  Heads heads = crm_.feed().heads();
  std::map<std::tuple<Collection, std::int64_t, Scope>, Batches> deltas;
  for (const Told& one : behind(heads, told_otherwise(with_staff))) {
    const Scope scope = heads.scope_of(one.collection, one.box);
    Batches& batches = deltas[{one.collection, one.seq, scope}];
    if (batches.empty()) {
      batches = delta_since(one.seq, one.collection, heads.of(one.collection, scope), scope);
    }
    tell(one.box, batches);
    ++counters_.deltas;
  }
  transaction.commit();
  staff_ = staff;  // or an older word, and then it is looked at once more
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
  admitted_.clear();
  const Rows boxes = db_.query("SELECT store, box FROM box WHERE state IN ('online', 'new')");
  if (boxes.empty()) return;
  std::erase_if(beats_, [now = steady_clock::now()](const auto& beat) {
    return now - beat.second.made > kSnapshotLife;  // of a box that is gone, perhaps
  });
  Heads heads = crm_.feed().heads();
  for (const Collection collection : contract::kAllCollections) {
    Lane& lane = urgent(collection) ? urgent_ : bulk_;
    std::map<Scope, std::shared_ptr<const Parcel>> parcels;
    for (const Row& row : boxes) {
      const BoxKey box{row.text(0), row.text(1)};
      const Scope scope = heads.scope_of(collection, box);
      auto& parcel = parcels[scope];
      if (!parcel) parcel = beat(collection, heads.of(collection, scope), scope).back();
      lane.add(box, parcel);
    }
  }
  for (const Row& row : db_.query("SELECT store, box FROM box WHERE state = 'online' AND "
                                  "believes NOT IN ('', $1)",
                                  {crm_.keys_in_use()})) {
    offer_keys({row.text(0), row.text(1)});
  }
  if (!crm_.feed().regions().on()) return;
  for (const Row& row :
       db_.query("SELECT box.store, box.box, store_region.region FROM box JOIN store_region ON "
                 "store_region.store = box.store WHERE state = 'online' AND "
                 "box.region <> store_region.region")) {
    say_region({row.text(0), row.text(1)}, row.text(2));
  }
}

// Before any batch for that region: a box refuses what was made for another one.
void Server::say_region(const BoxKey& box, const std::string& region) {
  regions_[box] = {region, wall_now()};
  taken_[box];
}

// What a box did not hear is said again with each heartbeat.
void Server::say_releases() {
  releases_due_ = false;
  for (auto& word : Releases(crm_).unheard(wall_now())) {
    const BoxKey box{word.store, word.box};
    releases_[box] = std::move(word.update);
    taken_[box];
  }
}

// A command, or another instance, may have made some, or changed the key that signs them.
void Server::look_for_controls() {
  if (!client_.up()) return;  // all are due with the next line
  const auto key = crm_.signer();
  if ((key ? key->key_id() : "") != controls_key_) return send_all_controls();
  const std::int64_t newest =
      db_.query("SELECT COALESCE(MAX(seq), 0) FROM control").at(0).integer(0);
  if (static_cast<std::uint64_t>(newest) > sent_control_) send_controls(sent_control_);
}

// The broker retains one message per control topic; a box that is new needs them all.
void Server::send_all_controls() {
  controls_due_ = false;
  controls_refused_ = 0;
  next_controls_ = steady_clock::now() + kControlsEvery;
  send_controls(0);
}

void Server::send_controls(std::uint64_t after) {
  const auto key = crm_.signer();
  controls_key_ = key ? key->key_id() : "";
  for (const contract::Control& control : crm_.controls()) {
    if (control.seq <= after) continue;
    sent_control_ = std::max(sent_control_, control.seq);
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
    if (auto region = regions_.extract(box->first)) some.region = std::move(region.mapped());
    if (auto update = releases_.extract(box->first)) some.update = std::move(update.mapped());
    while (!box->second.empty() && some.ids.size() < contract::kTakenAtOnce) {
      some.ids.push_back(std::move(box->second.front()));
      box->second.pop_front();
    }
    publish(contract::encode_taken(address(box->first), some, key.get()), kAnything);
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

// It may have been revoked a moment ago, of which the database tells us (Database::announce).
bool Server::still_admitted(const BoxKey& box) {
  if (admitted_.contains(box)) return true;
  if (!boxes_.admitted(box.first, box.second)) return false;
  admitted_.insert(box);
  return true;
}

void Server::send() {
  send_taken();
  while (client_.room() > 0 && !commands_.empty()) {
    // Controls alone are retained.
    publish(commands_.front(), commands_.front().retain ? kControl : kAnything);
    commands_.pop_front();
  }
  const auto drain = [this](Lane& lane) {
    while (client_.room() > 0 && !lane.empty()) {
      const auto [box, parcel] = lane.take();
      if (!still_admitted(box)) continue;
      contract::Message message;
      message.topic = contract::feed_topic(address(box), parcel->collection());
      message.payload = parcel->payload();
      publish(message, -static_cast<std::int64_t>(message.payload.size()));
    }
  };
  drain(urgent_);
  drain(bulk_);
}

}  // namespace welcome::crm
