#include "crm/server.h"

#include <algorithm>
#include <array>
#include <poll.h>
#include <spdlog/spdlog.h>

#include "contract/topics.h"
#include "crm/wall_clock.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::int64_t kFeedTag = 0;  // outbox rows have their position, which is positive
constexpr auto kControlsEvery = 1s;
constexpr std::size_t kOutboxBatch = 500;
constexpr auto kCommandPatience = 30s;  // a box that has not answered is told again
constexpr auto kLease = 30s;            // of an outbox row, among several instances

constexpr std::uint32_t kSessionExpiryS =
    7 * 24 * 3600;  // the broker keeps events for us that long

mqtt::ClientConfig with_subscriptions(mqtt::ClientConfig broker, const std::string& tenant,
                                      const std::string& share) {
  for (const std::string& filter : contract::Subscriptions::crm(tenant)) {
    // Everybody has to know who is there; a retained state does not reach a shared subscription.
    const bool shared = !share.empty() && !filter.ends_with("/state");
    broker.subscriptions.push_back(
        {shared ? std::string("$share/").append(share).append("/").append(filter) : filter});
  }
  broker.packet_max = contract::kMaxPayload + 64 * 1024;
  broker.session_expiry_s = kSessionExpiryS;
  return broker;
}

bool urgent(Collection collection) {
  return collection == Collection::consents || collection == Collection::policy;
}

}  // namespace

// ---- lanes ----

Server::Batches Server::packed(const std::vector<contract::FeedBatch>& batches) {
  Batches out;
  for (const contract::FeedBatch& batch : batches) {
    out.push_back(std::make_shared<const Parcel>(Parcel{batch.collection, batch.epoch, batch.to_seq,
                                                        contract::encode_feed({}, batch).payload}));
  }
  return out;
}

void Server::Lane::add(const BoxKey& box, std::shared_ptr<const Parcel> parcel) {
  auto& queue = waiting_[box];
  if (queue.empty()) turn_.push_back(box);
  queue.push_back(std::move(parcel));
}

std::pair<Server::BoxKey, std::shared_ptr<const Server::Parcel>> Server::Lane::take() {
  const BoxKey box = turn_.front();
  turn_.pop_front();
  const auto found = waiting_.find(box);
  auto parcel = std::move(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) {
    waiting_.erase(found);
  } else {
    turn_.push_back(box);
  }
  return {box, std::move(parcel)};
}

void Server::Lane::drop(const BoxKey& box) {
  waiting_.erase(box);
  std::erase(turn_, box);
}

void Server::Lane::clear() {
  waiting_.clear();
  turn_.clear();
}

// ---- the loop ----

Server::Server(Database& db, ServeConfig config)
    : db_(db),
      crm_(db),
      intake_(crm_),
      config_(std::move(config)),
      client_(with_subscriptions(config_.broker, crm_.settings().tenant, config_.share),
              {.up =
                   [this](const mqtt::Limits&) {
                     spdlog::info("serving: connected to the broker");
                     outbox_sent_ = 0;
                     heartbeat();
                   },
               .down =
                   [this](const mqtt::Down& down) {
                     spdlog::warn("no broker: {}; again in {} ms", down.why, down.retry_in.count());
                     received_.clear();  // not acknowledged: they come again
                     urgent_.clear();
                     bulk_.clear();
                     commands_.clear();
                   },
               .message = [this](const mqtt::Publish& message) { received_.push_back(message); },
               .published =
                   [this](std::int64_t tag, std::uint8_t reason) {
                     if (reason >= mqtt::kRefused) {
                       ++counters_.undeliverable;
                       spdlog::error("the broker refuses a message: {}", mqtt::reason_text(reason));
                     }
                     if (tag != kFeedTag) outbox_done_.push_back(tag);
                   }}) {
  db_.listen();
}

contract::BoxAddress Server::address(const BoxKey& box) const {
  return {crm_.settings().tenant, box.first, box.second};
}

void Server::run(int stop_fd) {
  client_.tick(steady_clock::now());
  intake_.work(wall_now());
  next_heartbeat_ = steady_clock::now() + config_.heartbeat;
  while (true) {
    auto deadline = std::min(client_.deadline(), next_heartbeat_);
    if (controls_due_) deadline = std::min(deadline, next_controls_);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    std::array<pollfd, 3> fds{
        {{stop_fd, POLLIN, 0}, {db_.wake_fd(), POLLIN, 0}, {client_.fd(), client_.events(), 0}}};
    poll(fds.data(), fds.size(), static_cast<int>(std::clamp<long>(wait.count(), 0, 60'000)));
    if ((fds[0].revents & POLLIN) != 0) break;

    const auto now = steady_clock::now();
    const bool woken = db_.take_wake();
    bool work = woken;
    if (fds[2].revents != 0) client_.ready(now);
    client_.tick(now);
    if (!received_.empty()) {
      process_received();
      work = true;
    }
    drop_sent();
    if (work) {
      intake_.work(wall_now());
      push_changes();
      push_commands();
      // What was decided here may be for boxes that another instance talks to.
      if (!config_.share.empty() && !woken) db_.announce();
    }
    if (now >= next_heartbeat_) {
      push_changes();
      heartbeat();
      push_commands();
      next_heartbeat_ = now + config_.heartbeat;
    }
    if (controls_due_ && now >= next_controls_) send_controls();
    send();
    client_.flush(now);
  }
  client_.close(steady_clock::now());
}

// ---- in ----

void Server::process_received() {
  std::vector<mqtt::Publish> messages;
  messages.swap(received_);
  const WallTime now = wall_now();
  std::vector<std::pair<contract::FromBox, bool>> rest;  // and whether it was retained
  {
    Transaction transaction(db_);
    for (const mqtt::Publish& message : messages) {
      contract::RawMessage raw{message.topic, message.payload, message.retain,
                               message.response_topic, message.correlation};
      auto decoded = contract::decode_for_crm(crm_.settings().tenant, raw);
      if (!decoded) {
        ++counters_.refused;
        spdlog::warn("a message was refused: {}", decoded.error().message);
        continue;
      }
      if (const auto* event = std::get_if<contract::EventMessage>(&decoded->message)) {
        const bool first = intake_.take_event(decoded->box, *event, message.payload, now);
        ++(first ? counters_.events : counters_.repeated_events);
      } else if (const auto* request = std::get_if<contract::AppRequest>(&decoded->message)) {
        const bool first = intake_.take_request(*request, message.payload, now);
        ++(first ? counters_.requests : counters_.repeated_requests);
      } else {
        rest.emplace_back(std::move(*decoded), message.retain);
      }
    }
    for (const auto& [from, retained] : rest) {
      if (const auto* state = std::get_if<contract::BoxState>(&from.message)) {
        on_state(from.box, *state, retained);
      }
      if (const auto* hello = std::get_if<contract::Hello>(&from.message))
        on_hello(from.box, *hello);
      if (const auto* answer = std::get_if<contract::CommandResponse>(&from.message)) {
        if (answer->ok) crm_.answered(answer->command.str(), from.box.store, from.box.box);
      }
    }
    transaction.commit();
  }
  for (const mqtt::Publish& message : messages) {
    if (message.qos == 1) client_.acknowledge(message.id);
  }
}

void Server::see_box(const BoxKey& box, const std::string& state, std::int64_t session,
                     const std::string& version) {
  db_.execute(
      "INSERT INTO box (store, box, state, session, version, seen_at) "
      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (store, box) DO UPDATE SET "
      "state = excluded.state, session = excluded.session, version = excluded.version, "
      "seen_at = excluded.seen_at",
      {box.first, box.second, state, session, version, contract::to_rfc3339(wall_now())});
}

void Server::forget_told(const BoxKey& box) {
  db_.execute("DELETE FROM told WHERE store = $1 AND box = $2", {box.first, box.second});
  db_.execute("UPDATE command SET sent_at = NULL WHERE store = $1 AND box = $2",
              {box.first, box.second});
  urgent_.drop(box);
  bulk_.drop(box);
}

void Server::on_state(const contract::BoxAddress& from, const contract::BoxState& state,
                      bool retained) {
  const BoxKey box{from.store, from.box};
  const auto session = static_cast<std::int64_t>(state.session);
  if (state.state == contract::LinkState::online && !state.key.empty()) on_key(from, state.key);
  const Rows rows =
      db_.query("SELECT session FROM box WHERE store = $1 AND box = $2", {box.first, box.second});
  // The will of an earlier session may come late.
  if (!rows.empty() && rows[0].integer(0) > session) return;
  const char* name = "online";
  if (state.state == contract::LinkState::stopped) name = "stopped";
  if (state.state == contract::LinkState::offline) name = "offline";
  see_box(box, name, session, state.version);
  if (state.state != contract::LinkState::online) {
    forget_told(box);
  } else if (retained) {
    next_heartbeat_ = {};  // it was there before us, and its hello may have met nobody
  }
}

// Whatever its session: a box that begins afresh, with a new key, counts from one again.
void Server::on_key(const contract::BoxAddress& from, const std::string& said) {
  const auto key = contract::public_key_from_text(said);
  if (!key) return;  // the schema does not let it through
  const bool first = !crm_.box_key(from.store, from.box);
  if (!crm_.box_says_key(from.store, from.box, *key, wall_now())) {
    ++counters_.keys_refused;
    spdlog::warn(
        "{0}/{1} says another key than before, {2}: its erasure receipts do not count until "
        "`welcome-crm boxes trust {0}/{1}`",
        from.store, from.box, contract::fingerprint(*key));
  } else if (first) {
    spdlog::info("{}/{} signs with the key {}", from.store, from.box, contract::fingerprint(*key));
  }
}

void Server::on_hello(const contract::BoxAddress& from, const contract::Hello& hello) {
  const BoxKey box{from.store, from.box};
  ++counters_.hellos;
  see_box(box, "online", static_cast<std::int64_t>(hello.session), hello.version);
  forget_told(box);
  // What was on its way on the old line may be lost, and an erasure goes before the feed.
  db_.execute("UPDATE command SET sent_at = NULL WHERE store = $1 AND box = $2",
              {box.first, box.second});
  for (const Collection collection : contract::kAllCollections) {
    std::optional<Position> have;
    if (const auto found = hello.have.find(collection); found != hello.have.end()) {
      have = Position{found->second.epoch, static_cast<std::int64_t>(found->second.seq),
                      found->second.digest};
    }
    const Position head = crm_.feed().head(collection);
    switch (remedy(have, head, crm_.feed().oldest(collection))) {
      case Remedy::nothing:
        tell(box, packed(delta(collection, head, head.seq, {})));
        break;
      case Remedy::delta:
        tell(box,
             packed(delta(collection, head, have->seq, crm_.feed().since(collection, have->seq))));
        ++counters_.deltas;
        break;
      case Remedy::snapshot:
        tell(box, snapshot_of(collection, head));
        ++counters_.snapshots;
        break;
    }
  }
  if (!crm_.controls().empty()) controls_due_ = true;
}

// ---- out ----

Server::Batches Server::snapshot_of(Collection collection, const Position& head) {
  auto& [at, batches] = snapshots_[collection];
  if (batches.empty() || !(at == head)) {
    batches = packed(snapshot(collection, head, crm_.feed().live(collection)));
    at = head;
  }
  return batches;
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

void Server::push_changes() {
  constexpr const char* kBehind =
      "SELECT told.store, told.box, told.collection, told.seq FROM told "
      "JOIN feed ON feed.collection = told.collection "
      "WHERE told.seq <> feed.seq AND told.epoch = feed.epoch";
  if (!client_.up() || db_.query(kBehind).empty()) return;
  Transaction transaction(db_);
  std::map<std::pair<Collection, std::int64_t>, Batches> deltas;
  for (const Row& row : db_.query(kBehind)) {
    const auto collection = contract::collection_from_string(row.text(2)).value();
    const std::int64_t at = row.integer(3);
    Batches& batches = deltas[{collection, at}];
    if (batches.empty()) {
      batches = packed(
          delta(collection, crm_.feed().head(collection), at, crm_.feed().since(collection, at)));
    }
    tell({row.text(0), row.text(1)}, batches);
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
  db_.execute("DELETE FROM command WHERE expires_at <= $1", {contract::to_rfc3339(now)});
  for (const Row& row : db_.query(kDue, times)) {
    const contract::BoxAddress to = address({row.text(1), row.text(2)});
    db_.execute("UPDATE command SET sent_at = $4 WHERE id = $1 AND store = $2 AND box = $3",
                {row.text(0), to.store, to.box, contract::to_rfc3339(now)});
    contract::Message message;
    message.topic = contract::command_topic(to);
    message.payload = row.text(3);
    message.response_topic = contract::response_topic(to);
    message.correlation = row.text(0);
    commands_.push_back(std::move(message));
  }
  transaction.commit();
}

// Tells every box where the feed stands. A box that is not there says hello, and knows by the same
// message that consent is fresh.
void Server::heartbeat() {
  std::map<std::pair<Collection, std::int64_t>, std::shared_ptr<const Parcel>> beats;
  for (const Row& row : db_.query("SELECT box.store, box.box, feed.collection, told.seq FROM box "
                                  "CROSS JOIN feed LEFT JOIN told ON told.store = box.store AND "
                                  "told.box = box.box AND told.collection = feed.collection "
                                  "WHERE box.state = 'online'")) {
    const auto collection = contract::collection_from_string(row.text(2)).value();
    Position here = crm_.feed().head(collection);
    // A box that nobody has told anything is told the head: if it is not there, it says so.
    const std::int64_t seq = row.null(3) ? here.seq : row.integer(3);
    auto& beat = beats[{collection, seq}];
    if (!beat) {
      if (here.seq != seq) here.digest.clear();
      here.seq = seq;
      beat = packed(delta(collection, here, seq, {})).back();
    }
    (urgent(collection) ? urgent_ : bulk_).add({row.text(0), row.text(1)}, beat);
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
  while (client_.room() > 0 && !commands_.empty()) {
    publish(commands_.front(), kFeedTag);
    commands_.pop_front();
  }
  const auto drain = [this](Lane& lane) {
    while (client_.room() > 0 && !lane.empty()) {
      const auto [box, parcel] = lane.take();
      contract::Message message;
      message.topic = contract::feed_topic(address(box), parcel->collection);
      message.payload = parcel->payload;
      publish(message, kFeedTag);
    }
  };
  drain(urgent_);
  if (client_.room() > 0) send_outbox();
  drain(bulk_);
}

void Server::publish_row(const Row& row) {
  contract::Message message;
  message.topic = row.text(1);
  message.payload = row.text(2);
  message.retain = row.integer(3) != 0;
  message.content_type = contract::content_type_of(message.topic);
  if (!row.null(4)) message.expires_at = contract::from_rfc3339(row.text(4));
  if (message.expires_at && *message.expires_at <= wall_now()) {
    ++counters_.expired;
    outbox_done_.push_back(row.integer(0));
    return;
  }
  publish(message, row.integer(0));
}

void Server::send_outbox() {
  if (!config_.share.empty()) {
    send_outbox_shared();
    return;
  }
  for (const Row& row : db_.query(
           "SELECT position, topic, payload, retain, expires_at FROM outbox WHERE position > $1 "
           "ORDER BY position LIMIT $2",
           {outbox_sent_, static_cast<std::int64_t>(std::min(client_.room(), kOutboxBatch))})) {
    outbox_sent_ = row.integer(0);
    publish_row(row);
  }
}

// Among several instances a row belongs to who took it, for as long as sending may take.
void Server::send_outbox_shared() {
  const WallTime now = wall_now();
  const std::vector<Value> free{contract::to_rfc3339(now), static_cast<std::int64_t>(kOutboxBatch)};
  constexpr const char* kFree =
      "SELECT position, topic, payload, retain, expires_at FROM outbox "
      "WHERE leased_until IS NULL OR leased_until < $1 ORDER BY position LIMIT $2";
  if (db_.query(kFree, free).empty()) return;
  Rows rows;
  {
    Transaction transaction(db_);
    rows = db_.query(kFree, free);
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), client_.room())),
               rows.end());
    for (const Row& row : rows) {
      db_.execute("UPDATE outbox SET leased_until = $2 WHERE position = $1",
                  {row.integer(0), contract::to_rfc3339(now + kLease)});
    }
    transaction.commit();
  }
  for (const Row& row : rows) publish_row(row);
}

void Server::drop_sent() {
  if (outbox_done_.empty()) return;
  Transaction transaction(db_);
  for (const std::int64_t position : outbox_done_) {
    db_.execute("DELETE FROM outbox WHERE position = $1", {position});
  }
  transaction.commit();
  outbox_done_.clear();
}

}  // namespace welcome::crm
