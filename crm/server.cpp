// SPDX-License-Identifier: Apache-2.0
#include "crm/server.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <spdlog/spdlog.h>

#include "contract/topics.h"
#include "crm/desk_consents.h"
#include "crm/lights.h"
#include "crm/releases.h"
#include "crm/renewals.h"
#include "crm/wall_clock.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// What has become old: so much in one transaction, and the pause between two.
constexpr int kAgeAtOnce = 100;
constexpr std::chrono::seconds kAgeingTurn{1};
constexpr auto kEpochsEvery = 1min;  // at most, whatever boxes say

constexpr auto kArriveWithin = 2s;  // after that a broker does not answer any more

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

// Controls are numbered by the clock: what is far beyond it nobody here has made.
bool may_be_ours(std::uint64_t control) {
  return control <= static_cast<std::uint64_t>((wall_now() + 24h).time_since_epoch().count());
}

const char* word_for(const contract::CrmInbound& message) {
  if (std::holds_alternative<contract::BoxState>(message)) return "state";
  if (std::holds_alternative<contract::Hello>(message)) return "hello";
  if (std::holds_alternative<contract::EventMessage>(message)) return "event";
  if (std::holds_alternative<contract::Lookup>(message)) return "lookup";
  return "response";
}

constexpr std::chrono::minutes kLastWords{1};  // of a box that is retired

}  // namespace

// ---- the loop ----

Server::Server(Database& db, SigningKeys keys, ServeConfig config)
    : db_(db),
      crm_(db, std::move(keys)),
      boxes_(crm_),
      trails_(crm_),
      lookups_(crm_),
      intake_(crm_),
      config_(std::move(config)),
      client_(with_subscriptions(config_.broker, crm_.settings().tenant, config_.share),
              {.up =
                   [this](const mqtt::Limits&) {
                     spdlog::info("serving: connected to the broker");
                     snapshots_.clear();  // this broker may take less
                     controls_due_ = true;
                     next_controls_ = {};
                     next_heartbeat_ = {};
                   },
               .down =
                   [this](const mqtt::Down& down) {
                     spdlog::warn("no broker: {}; again in {} ms", down.why, down.retry_in.count());
                     why_down_ = down.why;
                     received_.clear();  // not acknowledged: they come again
                     urgent_.clear();
                     bulk_.clear();
                     commands_.clear();
                     taken_.clear();  // the boxes send it again
                     regions_.clear();
                     releases_.clear();
                   },
               .message = [this](const mqtt::Publish& message) { received_.push_back(message); },
               .published = [this](std::int64_t tag,
                                   std::uint8_t reason) { published(tag, reason); }}) {
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
    auto deadline = std::min({client_.deadline(), next_heartbeat_, next_ageing_});
    if (controls_due_ && client_.up()) deadline = std::min(deadline, next_controls_);
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
    if (work) {
      admitted_.clear();
      intake_.work(wall_now());
      push_changes();
      push_commands();
      if (woken || releases_due_) say_releases();
      look_for_controls();
      // What was decided here may be for boxes that another instance talks to.
      if (!config_.share.empty() && !woken) db_.announce();
      if (config_.changed) config_.changed();
    }
    if (now >= next_ageing_) {
      next_ageing_ = now + (let_age() ? kAgeingTurn : config_.heartbeat);
      push_changes();
      push_commands();
      if (config_.changed) config_.changed();
    }
    if (now >= next_heartbeat_) {
      push_changes();
      heartbeat();
      say_releases();
      push_commands();
      if (controls_refused_ > 0) controls_due_ = true;
      write_status();
      next_heartbeat_ = now + config_.heartbeat;
    }
    if (controls_due_ && client_.up() && now >= next_controls_) send_all_controls();
    send();
    client_.flush(now);
  }
  let_arrive();
  client_.close(steady_clock::now());
  why_down_ = "stopped";
  write_status();
}

// What is on its way is answered before the line is closed.
void Server::let_arrive() {
  const auto until = steady_clock::now() + kArriveWithin;
  for (auto now = steady_clock::now(); client_.up() && client_.in_flight() > 0 && now < until;
       now = steady_clock::now()) {
    client_.flush(now);
    const auto wait =
        std::chrono::ceil<std::chrono::milliseconds>(std::min(until, client_.deadline()) - now);
    pollfd line{client_.fd(), client_.events(), 0};
    poll(&line, 1, static_cast<int>(std::max<long>(wait.count(), 0)));
    if (line.revents != 0) client_.ready(steady_clock::now());
    client_.tick(steady_clock::now());
  }
  received_.clear();  // not acknowledged: they come again
}

// What has come to its end goes, a little at a time. True: there is more.
bool Server::let_age() {
  bool more = false;
  {
    Transaction transaction(db_);
    more = crm_.let_consents_end(wall_now(), kAgeAtOnce);
    more = crm_.forget_the_old(wall_now(), kAgeAtOnce) || more;
    more = DeskConsents(crm_).let_questions_end(wall_now(), kAgeAtOnce) || more;
    more = crm_.feed().let_sights_end(wall_now(), kAgeAtOnce) || more;
    crm_.feed().let_leavings_end();
    transaction.commit();
  }
  return !crm_.scrub_what_was_erased() || more;
}

// ---- in ----

void Server::process_received() {
  std::vector<mqtt::Publish> messages;
  messages.swap(received_);
  const WallTime now = wall_now();
  std::vector<std::pair<contract::FromBox, bool>> rest;  // and whether it was retained
  std::map<BoxKey, std::deque<MessageId>> taken;
  std::vector<contract::FromBox> leaving;
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
      const auto* const said = std::get_if<contract::EventMessage>(&decoded->message);
      if (said != nullptr && std::holds_alternative<contract::BoxRetired>(said->data)) {
        leaving.push_back(std::move(*decoded));
        continue;
      }
      if (!may_speak(*decoded)) continue;
      if (const auto* event = std::get_if<contract::EventMessage>(&decoded->message)) {
        const bool first = intake_.take_event(decoded->box, *event, now);
        ++(first ? counters_.events : counters_.repeated_events);
        taken[{decoded->box.store, decoded->box.box}].push_back(event->id);
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
      if (const auto* lookup = std::get_if<contract::Lookup>(&from.message)) {
        on_lookup(from.box, *lookup);
      }
      if (const auto* answer = std::get_if<contract::CommandResponse>(&from.message)) {
        if (answer->ok) crm_.answered(answer->command.str(), from.box.store, from.box.box);
        Lights(crm_).answered(from.box.store, from.box.box, *answer);
        Renewals(crm_).answered(from.box.store, from.box.box, *answer);
      }
    }
    transaction.commit();
  }
  for (auto& [box, ids] : taken) {
    auto& waiting = taken_[box];
    waiting.insert(waiting.end(), ids.begin(), ids.end());
  }
  for (const mqtt::Publish& message : messages) {
    if (message.qos == 1) client_.acknowledge(message.id);
  }
  let_go(leaving);
}

// Boxes that say that they are retired. What they said before counts, a withdrawal above all. One
// that was let go before says it again until it hears `taken`.
void Server::let_go(const std::vector<contract::FromBox>& leaving) {
  if (leaving.empty()) return;
  intake_.work(wall_now());
  for (const contract::FromBox& from : leaving) {
    const auto& event = std::get<contract::EventMessage>(from.message);
    const BoxKey box{from.box.store, from.box.box};
    Transaction transaction(db_);
    const bool here = boxes_.admitted(box.first, box.second);
    const auto done = boxes_.retire(box.first, box.second, event.data_text, wall_now());
    if (!done && !here) {
      ++counters_.strangers;
      boxes_.turn_away(box.first, box.second, "event", wall_now());
    }
    transaction.commit();
    if (!done) {
      if (here && not_let_go_.insert(box).second)
        spdlog::warn("{}/{} says that it is retired, and that does not count: {}", box.first,
                     box.second, done.error().message);
      continue;
    }
    taken_[box].push_back(event.id);
    not_let_go_.erase(box);
    admitted_.erase(box);
    urgent_.drop(box);
    bulk_.drop(box);
    if (here)
      spdlog::warn("{}/{} is retired, with proof, and served no more", box.first, box.second);
  }
}

// A box speaks when somebody admitted it. Who it is says the topic, which the broker binds to the
// account; nothing in the message says more.
bool Server::may_speak(const contract::FromBox& from) {
  if (boxes_.admitted(from.box.store, from.box.box)) return true;
  // One that has just been retired says its last words, and is no stranger.
  const auto retired = boxes_.retired_at(from.box.store, from.box.box);
  if (retired && *retired > contract::to_rfc3339(wall_now() - kLastWords)) return false;
  ++counters_.strangers;
  if (boxes_.turn_away(from.box.store, from.box.box, word_for(from.message), wall_now())) {
    spdlog::warn("a box that nobody admitted is turned away; `welcome-crm boxes` names it");
  }
  return false;
}

void Server::see_box(const BoxKey& box, const std::string& state, std::int64_t session,
                     const std::string& version) {
  db_.execute(
      "UPDATE box SET state = $3, session = $4, version = $5, seen_at = $6 "
      "WHERE store = $1 AND box = $2",
      {box.first, box.second, state, session, version, contract::to_rfc3339(wall_now())});
}

// What was on its way on the old line may be lost; and an erasure goes before the feed.
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
  if (state.state == contract::LinkState::online && !state.key.empty()) on_key(from, state);
  const Rows rows =
      db_.query("SELECT session FROM box WHERE store = $1 AND box = $2", {box.first, box.second});
  // The will of an earlier session may come late.
  if (!rows.empty() && rows[0].integer(0) > session) return;
  const char* name = "online";
  if (state.state == contract::LinkState::stopped) name = "stopped";
  if (state.state == contract::LinkState::offline) name = "offline";
  see_box(box, name, session, state.version);
  Lights(crm_).take(from.store, from.box, state.lights, wall_now());
  if (state.update && Releases(crm_).take(from.store, from.box, *state.update, wall_now()))
    releases_due_ = true;
  if (state.state != contract::LinkState::online) {
    forget_told(box);
  } else if (retained) {
    next_heartbeat_ = {};  // it was there before us, and its hello may have met nobody
  }
}

// Whatever its session: a box that begins afresh, with a new key, counts from one again.
void Server::on_key(const contract::BoxAddress& from, const contract::BoxState& state) {
  const auto key = contract::public_key_from_text(state.key);
  if (!key) return;  // the schema does not let it through
  if (crm_.hand_over(from.store, from.box, *key, state.vouched, wall_now())) {
    spdlog::warn("{}/{} has another key, {}, and the one before vouches for it: it is trusted",
                 from.store, from.box, contract::fingerprint(*key));
    return;
  }
  const bool first = !crm_.box_key(from.store, from.box);
  if (!crm_.box_says_key(from.store, from.box, *key, wall_now())) {
    ++counters_.keys_refused;
    spdlog::warn(
        "{0}/{1} says another key than before, {2}, for which that one does not vouch: its erasure "
        "receipts do not count until "
        "`welcome-crm boxes trust {0}/{1}`",
        from.store, from.box, contract::fingerprint(*key));
  } else if (first) {
    spdlog::info("{}/{} signs with the key {}", from.store, from.box, contract::fingerprint(*key));
  }
}

// What the box has, by its own word. A box that is ahead of us proves that this database was set
// back: from here on its numbers mean something else.
void Server::on_hello(const contract::BoxAddress& from, const contract::Hello& hello) {
  const BoxKey box{from.store, from.box};
  ++counters_.hellos;
  see_box(box, "online", static_cast<std::int64_t>(hello.session), hello.version);
  note_confirmed(box, hello);
  crm_.note_believed(from.store, from.box, hello.keys);
  db_.execute("UPDATE box SET region = $3 WHERE store = $1 AND box = $2 AND region <> $3",
              {box.first, box.second, hello.region});
  if (is_ahead(box, hello)) set_back(box);
  if (hello.audit) on_audit(from, *hello.audit);
  if (hello.confirms) return;
  taken_[box];  // before all else, without ids: that there will be more of them
  asks_[box] = trails_.ask(from.store, from.box, wall_now());
  offer_keys(box);
  if (crm_.feed().regions().on()) {
    const std::string region = crm_.feed().regions().of_store(box.first);
    if (!region.empty() && region != hello.region) say_region(box, region);
  }
  if (const auto has = crm_.believed(from.store, from.box); !has.signer) help_with_keys(box, has);
  forget_told(box);
  for (const Collection collection : contract::kAllCollections) {
    std::optional<Position> have;
    if (const auto found = hello.have.find(collection); found != hello.have.end()) {
      have = Position{found->second.epoch, static_cast<std::int64_t>(found->second.seq),
                      found->second.digest};
    }
    bring_up_to_date(box, collection, have);
  }
  controls_due_ = true;
}

// It was away while our key was changed: the old key has left it a word.
void Server::help_with_keys(const BoxKey& box, const Crm::Believed& has) {
  if (!has.last_word.empty()) {
    commands_.emplace_front();
    commands_.front().topic = contract::taken_topic(address(box));
    commands_.front().payload = has.last_word;
  }
  spdlog::warn("{}/{} does not believe the key that signs now{}; see `welcome-crm boxes`",
               box.first, box.second,
               has.last_word.empty() ? "" : ": it is told by the key that signed before");
}

void Server::on_lookup(const contract::BoxAddress& box, const contract::Lookup& lookup) {
  ++counters_.lookups;
  const auto found = lookups_.answer({box.store, box.box}, lookup, steady_clock::now());
  if (found.answer == contract::Found::Answer::too_often) ++counters_.lookups_refused;
  commands_.push_back(contract::encode_found(box, found, wall_now(), crm_.signer().get()));
}

void Server::offer_keys(const BoxKey& box) {
  auto keys = crm_.keys_to_tell(box.first, box.second, wall_now());
  if (!keys) return;
  keys_[box] = std::move(*keys);
  taken_[box];
}

void Server::on_audit(const contract::BoxAddress& from, const contract::AuditWord& word) {
  const std::string why = trails_.take(from.store, from.box, word, wall_now());
  if (why.empty()) return;
  ++counters_.boxes_set_back;
  spdlog::error(
      "{0}/{1} was set back: {2}. Somebody put an old copy of its card in, or its store was lost; "
      "docs/crm.md, \"A box that was set back\". It stays marked until `welcome-crm boxes "
      "acknowledge {0}/{1}`",
      from.store, from.box, why);
}

void Server::note_confirmed(const BoxKey& box, const contract::Hello& hello) {
  for (const auto& [collection, have] : hello.have) {
    db_.execute(
        "INSERT INTO confirmed (store, box, collection, epoch, seq) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (store, box, collection) DO UPDATE SET epoch = excluded.epoch, "
        "seq = excluded.seq",
        {box.first, box.second, std::string(contract::to_string(collection)), have.epoch,
         static_cast<std::int64_t>(have.seq)});
    crm_.feed().confirmed(box, collection,
                          {have.epoch, static_cast<std::int64_t>(have.seq), have.digest});
  }
  if (!may_be_ours(hello.control)) return;
  db_.execute("UPDATE box SET control = $3 WHERE store = $1 AND box = $2",
              {box.first, box.second, static_cast<std::int64_t>(hello.control)});
}

bool Server::is_ahead(const BoxKey& box, const contract::Hello& hello) {
  const std::int64_t newest =
      db_.query("SELECT COALESCE(MAX(seq), 0) FROM control").at(0).integer(0);
  if (newest > 0 && hello.control > static_cast<std::uint64_t>(newest) &&
      may_be_ours(hello.control)) {
    return true;
  }
  return std::any_of(hello.have.begin(), hello.have.end(), [&](const auto& one) {
    const Position head = crm_.feed().head(one.first, crm_.feed().scope_of(one.first, box));
    return one.second.epoch == head.epoch && static_cast<std::int64_t>(one.second.seq) > head.seq;
  });
}

// One box alone must not make the whole fleet ask for everything again and again.
void Server::set_back(const BoxKey& box) {
  const auto now = steady_clock::now();
  if (now < next_epoch_) return;
  next_epoch_ = now + kEpochsEvery;
  ++counters_.set_back;
  spdlog::error(
      "{}/{} has more than this database: it was set back, by a backup perhaps. Every box is told "
      "everything again; see docs/crm.md, \"Backup and restore\"",
      box.first, box.second);
  crm_.restored(wall_now());
  db_.execute("DELETE FROM told");
  urgent_.clear();
  bulk_.clear();
  snapshots_.clear();
  next_heartbeat_ = {};
}

void Server::bring_up_to_date(const BoxKey& box, Collection collection,
                              const std::optional<Position>& have) {
  const Scope scope = crm_.feed().scope_of(collection, box);
  const Position head = crm_.feed().head(collection, scope);
  switch (remedy(have, head, crm_.feed().oldest(collection, scope))) {
    case Remedy::nothing:
      tell(box, beat(collection, head, scope));
      break;
    case Remedy::delta:
      tell(box, delta_since(have->seq, collection, head, scope));
      ++counters_.deltas;
      break;
    case Remedy::snapshot:
      tell(box, snapshot_of(collection, head, scope));
      tell(box, beat(collection, head, scope));  // the snapshot may have been made long ago
      ++counters_.snapshots;
      break;
  }
}

// ---- counters ----

json Server::counted() const {
  const ServeCounters& c = counters_;
  const IntakeCounters& i = intake_.counters();
  return {{"events", c.events},
          {"events_repeated", c.repeated_events},
          {"messages_refused", c.refused},
          {"strangers", c.strangers},
          {"keys_refused", c.keys_refused},
          {"lookups", c.lookups},
          {"lookups_refused", c.lookups_refused},
          {"hellos", c.hellos},
          {"set_back", c.set_back},
          {"boxes_set_back", c.boxes_set_back},
          {"deltas", c.deltas},
          {"snapshots", c.snapshots},
          {"sent", c.sent},
          {"undeliverable", c.undeliverable},
          {"too_large", c.too_large},
          {"receipts_refused", i.receipts_refused},
          {"events_without_consent", i.without_consent},
          {"events_too_late", i.too_late},
          {"events_not_believed", i.not_believed},
          {"desk_consents_not_confirmed", i.not_confirmed},
          {"set_aside", i.set_aside}};
}

// For `welcome-crm status`.
void Server::write_status() {
  Transaction transaction(db_);
  db_.execute(
      "INSERT INTO serving (client_id, started_at, at, link, counters) VALUES ($1, $2, $3, $4, $5) "
      "ON CONFLICT (client_id) DO UPDATE SET started_at = excluded.started_at, at = excluded.at, "
      "link = excluded.link, counters = excluded.counters",
      {config_.broker.client_id, contract::to_rfc3339(started_), contract::to_rfc3339(wall_now()),
       client_.up() ? std::string("connected") : why_down_, counted().dump()});
  transaction.commit();
}

}  // namespace welcome::crm
