#include "sync/crm/server.h"

#include <algorithm>
#include <array>
#include <poll.h>
#include <spdlog/spdlog.h>

#include "sync/topics.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr std::int64_t kFeedTag = 0;  // outbox rows have their position, which is positive
constexpr auto kControlsEvery = 1s;
constexpr std::size_t kOutboxBatch = 500;

WallTime wall_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

MqttConfig with_subscriptions(MqttConfig mqtt, const std::string& tenant,
                              const std::string& share) {
  for (const std::string& filter : sync::Subscriptions::crm(tenant)) {
    // Everybody has to know who is there; a retained state does not reach a shared subscription.
    const bool shared = !share.empty() && !filter.ends_with("/state");
    mqtt.subscriptions.push_back(shared ? "$share/" + share + "/" + filter : filter);
  }
  return mqtt;
}

bool urgent(Collection collection) {
  return collection == Collection::consents || collection == Collection::policy;
}

}  // namespace

// ---- lanes -------------------------------------------------------------------------------------

void Server::Lane::add(const BoxKey& box, std::shared_ptr<const sync::FeedBatch> batch) {
  auto& queue = waiting_[box];
  if (queue.empty()) turn_.push_back(box);
  queue.push_back(std::move(batch));
}

std::pair<Server::BoxKey, std::shared_ptr<const sync::FeedBatch>> Server::Lane::take() {
  const BoxKey box = turn_.front();
  turn_.pop_front();
  const auto found = waiting_.find(box);
  auto batch = std::move(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) {
    waiting_.erase(found);
  } else {
    turn_.push_back(box);
  }
  return {box, std::move(batch)};
}

void Server::Lane::drop(const BoxKey& box) {
  waiting_.erase(box);
  std::erase(turn_, box);
}

void Server::Lane::clear() {
  waiting_.clear();
  turn_.clear();
}

// ---- the loop ----------------------------------------------------------------------------------

Server::Server(Database& db, ServeConfig config)
    : db_(db),
      crm_(db),
      intake_(crm_),
      config_(std::move(config)),
      client_(with_subscriptions(config_.mqtt, crm_.settings().tenant, config_.share),
              {.up =
                   [this] {
                     spdlog::info("serving: connected to the broker");
                     outbox_sent_ = 0;
                     heartbeat();
                   },
               .down =
                   [this](const std::string& why, std::chrono::milliseconds retry_in) {
                     spdlog::warn("no broker: {}; again in {} ms", why, retry_in.count());
                     received_.clear();  // not acknowledged: they come again
                     urgent_.clear();
                     bulk_.clear();
                     commands_.clear();
                     commanded_.clear();
                   },
               .message = [this](const mqtt::Publish& message) { received_.push_back(message); },
               .published =
                   [this](std::int64_t tag, std::uint8_t reason) {
                     if (reason >= 0x80) {
                       ++counters_.undeliverable;
                       spdlog::error("the broker refuses a message (reason {})", reason);
                     }
                     if (tag != kFeedTag) outbox_done_.push_back(tag);
                   }}) {
  db_.listen();
  // What boxes were told is known again when they answer the first heartbeat or say hello.
  for (const Row& row : db_.query("SELECT store, box, collection, epoch, seq FROM told")) {
    if (const auto collection = sync::collection_from_string(row.text(2))) {
      told_[{row.text(0), row.text(1)}][*collection] = {row.text(3), row.integer(4), ""};
    }
  }
}

sync::BoxAddress Server::address(const BoxKey& box) const {
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
    bool work = db_.take_wake();
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
      push_erasures();
    }
    if (now >= next_heartbeat_) {
      push_changes();
      heartbeat();
      commanded_.clear();
      push_erasures();
      next_heartbeat_ = now + config_.heartbeat;
    }
    if (controls_due_ && now >= next_controls_) send_controls();
    send();
    client_.flush(now);
  }
  client_.close();
}

// ---- in ----------------------------------------------------------------------------------------

void Server::process_received() {
  std::vector<mqtt::Publish> messages;
  messages.swap(received_);
  const WallTime now = wall_now();
  std::vector<sync::FromBox> rest;
  {
    Transaction transaction(db_);
    for (const mqtt::Publish& message : messages) {
      sync::RawMessage raw{message.topic, message.payload, message.retain, message.response_topic,
                           message.correlation};
      auto decoded = sync::decode_for_crm(crm_.settings().tenant, raw);
      if (!decoded) {
        ++counters_.refused;
        spdlog::warn("a message was refused: {}", decoded.error().message);
        continue;
      }
      if (const auto* event = std::get_if<sync::EventMessage>(&decoded->message)) {
        const bool first = intake_.take_event(decoded->box, *event, message.payload, now);
        ++(first ? counters_.events : counters_.repeated_events);
      } else if (const auto* request = std::get_if<sync::AppRequest>(&decoded->message)) {
        const bool first = intake_.take_request(*request, message.payload, now);
        ++(first ? counters_.requests : counters_.repeated_requests);
      } else {
        rest.push_back(std::move(*decoded));
      }
    }
    for (const sync::FromBox& from : rest) {
      if (const auto* state = std::get_if<sync::BoxState>(&from.message))
        on_state(from.box, *state);
      if (const auto* hello = std::get_if<sync::Hello>(&from.message)) on_hello(from.box, *hello);
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
      {box.first, box.second, state, session, version, sync::to_rfc3339(wall_now())});
}

void Server::forget_told(const BoxKey& box) {
  db_.execute("DELETE FROM told WHERE store = $1 AND box = $2", {box.first, box.second});
  told_.erase(box);
  urgent_.drop(box);
  bulk_.drop(box);
}

void Server::on_state(const sync::BoxAddress& from, const sync::BoxState& state) {
  const BoxKey box{from.store, from.box};
  const auto session = static_cast<std::int64_t>(state.session);
  const Rows rows =
      db_.query("SELECT session FROM box WHERE store = $1 AND box = $2", {box.first, box.second});
  // The will of an earlier session may come late.
  if (!rows.empty() && rows[0].integer(0) > session) return;
  const char* name = "online";
  if (state.state == sync::LinkState::stopped) name = "stopped";
  if (state.state == sync::LinkState::offline) name = "offline";
  see_box(box, name, session, state.version);
  if (state.state != sync::LinkState::online) {
    forget_told(box);
    std::erase_if(commanded_, [&](const auto& entry) { return entry.second == box; });
  }
}

void Server::on_hello(const sync::BoxAddress& from, const sync::Hello& hello) {
  const BoxKey box{from.store, from.box};
  ++counters_.hellos;
  see_box(box, "online", static_cast<std::int64_t>(hello.session), hello.version);
  forget_told(box);
  for (const Collection collection : sync::kAllCollections) {
    std::optional<Position> have;
    if (const auto found = hello.have.find(collection); found != hello.have.end()) {
      have = Position{found->second.epoch, static_cast<std::int64_t>(found->second.seq),
                      found->second.digest};
    }
    const Position head = crm_.feed().head(collection);
    switch (remedy(have, head, crm_.feed().oldest(collection))) {
      case Remedy::nothing:
        tell(box, delta(collection, head, head.seq, {}));
        break;
      case Remedy::delta:
        tell(box, delta(collection, head, have->seq, crm_.feed().since(collection, have->seq)));
        ++counters_.deltas;
        break;
      case Remedy::snapshot:
        tell(box, snapshot(collection, head, crm_.feed().live(collection)));
        ++counters_.snapshots;
        break;
    }
  }
  std::erase_if(commanded_, [&](const auto& entry) { return entry.second == box; });
  if (!crm_.controls().empty()) controls_due_ = true;
}

// ---- out ---------------------------------------------------------------------------------------

// The batches all lead to the same place, which is where the box is from now on.
void Server::tell(const BoxKey& box, const std::vector<sync::FeedBatch>& batches) {
  const sync::FeedBatch& last = batches.back();
  told_[box][last.collection] = {last.epoch, static_cast<std::int64_t>(last.to_seq), last.digest};
  db_.execute(
      "INSERT INTO told (store, box, collection, epoch, seq) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (store, box, collection) DO UPDATE SET epoch = excluded.epoch, "
      "seq = excluded.seq",
      {box.first, box.second, std::string(sync::to_string(last.collection)), last.epoch,
       static_cast<std::int64_t>(last.to_seq)});
  for (const sync::FeedBatch& batch : batches) {
    (urgent(batch.collection) ? urgent_ : bulk_)
        .add(box, std::make_shared<const sync::FeedBatch>(batch));
  }
}

void Server::push_changes() {
  std::map<Collection, Position> heads;
  bool behind = false;
  for (const Collection collection : sync::kAllCollections) {
    heads[collection] = crm_.feed().head(collection);
  }
  for (const auto& [box, collections] : told_) {
    for (const auto& [collection, at] : collections) behind |= at.seq != heads[collection].seq;
  }
  if (!behind) return;
  Transaction transaction(db_);
  std::map<std::pair<Collection, std::int64_t>, std::vector<sync::FeedBatch>> deltas;
  for (auto& [box, collections] : told_) {
    for (const auto& [collection, at] : std::map(collections)) {
      const Position head = crm_.feed().head(collection);
      if (at.seq == head.seq) continue;
      auto& batches = deltas[{collection, at.seq}];
      if (batches.empty()) {
        batches = delta(collection, head, at.seq, crm_.feed().since(collection, at.seq));
      }
      tell(box, batches);
      ++counters_.deltas;
    }
  }
  transaction.commit();
}

void Server::push_erasures() {
  for (const auto& [box, collections] : told_) {
    for (const auto& [erasure, customer] : crm_.erasures_open(box.first, box.second)) {
      if (!commanded_.insert({erasure, box}).second) continue;
      sync::Command command;
      command.id = MessageId(erasure);
      command.kind = sync::Command::Kind::erase;
      command.customer = CustomerId(customer);
      command.response_topic = sync::response_topic(address(box));
      command.correlation = erasure;
      const auto key = crm_.signer();
      commands_.push_back(sync::encode_command(address(box), command, key.get()));
    }
  }
}

// Tells every box where the feed stands. A box that is not there says hello, and knows by the same
// message that consent is fresh.
void Server::heartbeat() {
  for (const auto& [box, collections] : told_) {
    for (const auto& [collection, at] : collections) {
      const Position head = crm_.feed().head(collection);
      const Position here{head.epoch, at.seq, ""};
      auto batches = delta(collection, here, at.seq, {});
      if (at.seq == head.seq) batches.back().digest = head.digest;
      (urgent(collection) ? urgent_ : bulk_)
          .add(box, std::make_shared<const sync::FeedBatch>(std::move(batches.back())));
    }
  }
}

// The broker retains one message per control topic; a box that is new needs them all.
void Server::send_controls() {
  controls_due_ = false;
  next_controls_ = steady_clock::now() + kControlsEvery;
  const auto key = crm_.signer();
  for (const sync::Control& control : crm_.controls()) {
    commands_.push_back(sync::encode_control(control, key.get()));
  }
}

void Server::publish(const sync::Message& message, std::int64_t tag) {
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
      const auto [box, batch] = lane.take();
      publish(sync::encode_feed(address(box), *batch), kFeedTag);
    }
  };
  drain(urgent_);
  if (client_.room() > 0) send_outbox();
  drain(bulk_);
}

void Server::send_outbox() {
  const Rows rows = db_.query(
      "SELECT position, id, topic, payload, retain, expires_at FROM outbox WHERE position > $1 "
      "ORDER BY position LIMIT $2",
      {outbox_sent_, static_cast<std::int64_t>(std::min(client_.room(), kOutboxBatch))});
  for (const Row& row : rows) {
    outbox_sent_ = row.integer(0);
    sync::Message message;
    message.id = MessageId(row.text(1));
    message.topic = row.text(2);
    message.payload = row.text(3);
    message.retain = row.integer(4) != 0;
    message.content_type = sync::content_type_of(message.topic);
    if (!row.null(5)) message.expires_at = sync::from_rfc3339(row.text(5));
    if (message.expires_at && *message.expires_at <= wall_now()) {
      ++counters_.expired;
      outbox_done_.push_back(outbox_sent_);
      continue;
    }
    publish(message, outbox_sent_);
  }
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
