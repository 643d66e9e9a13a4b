// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/delivery.h"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

#include "firmware/engine/clock.h"
#include "firmware/engine/convert.h"
#include "mqtt/packet.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using contract::LinkName;

// After a message that the broker could not take yet.
constexpr auto kRefusedPause = 2s;
constexpr std::size_t kPacketOverhead = 64;  // header, lengths, and what properties cost
// A CRM that says what it takes says so before anything else; it is waited for longer than one that
// never did.
constexpr std::chrono::milliseconds kTakesPatienceKnown = 60s;
constexpr std::string_view kTakesRegister = "crm_takes";
// The CRM has this long to take what the broker has, and has to speak after that. So many are at
// the broker at most, and as often does one go again.
constexpr auto kTakenWithin = 60s;
constexpr std::size_t kAtBrokerMost = 1000;
constexpr int kAgainMost = 5;
constexpr std::size_t kSettledAtOnce = 200;
// A CRM that speaks, but never says consents that this box can use, does not keep its messages for
// ever. The largest snapshot comes in less.
constexpr std::chrono::milliseconds kConsentsPatience = 1h;

}  // namespace

Delivery::Delivery(Shared& shared, const contract::Signer& signer, Needs& needs, const Now& now)
    : shared_(shared),
      signer_(signer),
      needs_(needs),
      had_another_key_(!shared.store.vouched().value_or(std::vector<std::string>()).empty()) {
  uplink_.patience = now.mono + shared.settings.crm_speaks_first;
}

void Delivery::up(LinkName name, const sync::LinkUp& broker, const Now& now) {
  spdlog::info("{} is up", contract::to_string(name));
  mutable_side(name) = {.up = true,
                        .window = std::min(shared_.settings.uplink_window, broker.receive_maximum),
                        .packet_bytes = broker.packet_bytes,
                        .patience = now.mono + shared_.settings.crm_speaks_first};
}

void Delivery::down(LinkName name, const std::string& reason, const Now& now) {
  Side& link = mutable_side(name);
  if (link.up || link.why_down != reason) {
    spdlog::warn("{} is down: {}; trying again", contract::to_string(name), reason);
  }
  link.up = false;
  settle(name, now);
  link = {.why_down = reason};
  shared_.store.outbox().release(store_link(name));
}

void Delivery::acked(LinkName name, const sync::Acked& acked, const Now& now) {
  Side& link = mutable_side(name);
  if (link.in_flight > 0) --link.in_flight;
  ++shared_.counters.messages_acked;
  auto event = link.on_the_line.extract(acked.tag);
  if (event && link.takes) {
    arrived(event.mapped().ref);
    shared_.store.outbox().keep_handed_out(acked.tag);
    link.at_broker.insert_or_assign(std::move(event.mapped().id), AtBroker{acked.tag, now.mono});
  } else {
    link.acked.push_back(acked.tag);
  }
  // Many at once are one transaction, and one look for what is next: when half of the window is
  // free again.
  if (link.in_flight > link.window / 2) return;
  settle_many(name, now);
  pump(name, now);
}

bool Delivery::refused(LinkName name, const sync::Refused& refused, const Now& now) {
  ++shared_.counters.messages_refused;
  Side& link = mutable_side(name);
  if (link.in_flight > 0) --link.in_flight;
  link.on_the_line.erase(refused.tag);
  // A broker that is full will have room again; everything else is about this message.
  const bool again =
      !mqtt::broker_is_full(refused.code) && !link.refused_once.insert(refused.tag).second;
  if (refused.for_good || again) {
    // It must not hold up those behind it, and counts as never sent.
    ++shared_.counters.set_aside[refused.why];
    spdlog::warn("{}: a message is set aside, the broker does not take it: {}",
                 contract::to_string(name), refused.why);
    link.refused_once.erase(refused.tag);
    link.refused.push_back(refused.tag);
    settle(name, now);
    pump(name, now);
    return true;
  }
  spdlog::warn("{} does not take a message now: {}", contract::to_string(name), refused.why);
  link.held = now.mono + kRefusedPause;
  shared_.store.outbox().release_row(refused.tag);
  return false;
}

void Delivery::taken(const contract::Taken& taken, const Now& now) {
  if (!std::exchange(uplink_.takes, true)) {
    const auto kept =
        shared_.store.transaction([](store::Tx& tx) { tx.registers().put(kTakesRegister, "1"); });
    if (!kept) needs_.store_failed(kept.error());
  }
  for (const MessageId& id : taken.ids) {
    if (auto event = uplink_.at_broker.extract(id)) {
      uplink_.acked.push_back(event.mapped().row);
      again_.erase(event.mapped().row);
    } else {
      // Its PUBACK has not come here yet.
      std::erase_if(uplink_.on_the_line, [&](const auto& one) { return one.second.id == id; });
    }
  }
  settle_many(LinkName::uplink, now);
  pump(LinkName::uplink, now);
}

void Delivery::send_untaken_again(const Now& now) {
  if (!uplink_.heard) return;
  for (auto event = uplink_.at_broker.begin(); event != uplink_.at_broker.end();) {
    const auto [row, since] = event->second;
    // It has spoken since, and would have taken it before: the broker has lost it.
    if (*uplink_.heard < since + kTakenWithin) {
      ++event;
      continue;
    }
    event = uplink_.at_broker.erase(event);
    if (++again_[row] <= kAgainMost) {
      ++shared_.counters.sent_again;
      shared_.store.outbox().release_row(row);
      continue;
    }
    // It must not go for ever.
    again_.erase(row);
    ++shared_.counters.set_aside["the CRM does not take it"];
    spdlog::warn("uplink: an event is set aside, the CRM does not take it");
    uplink_.refused.push_back(row);
  }
  settle(LinkName::uplink, now);
}

// What a CRM has taken leaves the outbox many rows at a time; the next tick settles the rest.
void Delivery::settle_many(LinkName name, const Now& now) {
  const Side& link = side(name);
  if (!link.takes || link.acked.size() >= kSettledAtOnce) settle(name, now);
}

void Delivery::settle(const Now& now) {
  settle(LinkName::floor, now);
  settle(LinkName::uplink, now);
}

// What the broker has said of the rows, and what follows from it for caps and learner: one
// transaction.
void Delivery::settle(LinkName name, const Now& now) {
  auto rows = std::exchange(mutable_side(name).acked, {});
  const auto refused = std::exchange(mutable_side(name).refused, {});
  rows.insert(rows.end(), refused.begin(), refused.end());
  if (rows.empty()) return;
  auto notes = shared_.store.outbox().notes(rows);
  if (!notes) return needs_.store_failed(notes.error());
  std::vector<Left> left;
  for (auto& note : *notes) {
    const bool sent = std::find(refused.begin(), refused.end(), note.row) == refused.end();
    sent ? arrived(note.ref) : void(in_the_way_.erase(note.ref));
    left.push_back({std::move(note), sent});
  }
  const auto settled = needs_.rows_left(
      left, [&](store::Tx& tx) { tx.outbox().remove_rows(rows); }, now);
  if (settled) return;
  // They are still there, and go once more: a receiver drops what it has.
  for (const auto row : rows) shared_.store.outbox().release_row(row);
}

// The first message of what an input led to is with the broker.
void Delivery::arrived(const std::string& ref) {
  auto way = in_the_way_.extract(ref);
  if (way) latency_.add(std::chrono::duration_cast<Latency::Duration>(steady_now() - way.mapped()));
}

void Delivery::drop_unsendable(const Now& now) {
  std::size_t expired = 0;
  const auto agreed = shared_.ports.clock().agreed;
  const auto gone = shared_.store.transaction([&](store::Tx& tx) {
    std::vector<store::OutboxNote> notes;
    if (agreed) notes = tx.outbox().expire(*agreed);
    expired = notes.size();
    for (auto& note : tx.outbox().drop_damaged()) notes.push_back(std::move(note));
    return notes;
  });
  if (!gone) return needs_.store_failed(gone.error());
  if (gone->empty()) return;
  shared_.counters.messages_expired += expired;
  std::vector<Left> left;
  for (const auto& note : *gone) {
    left.push_back({note, false});
    in_the_way_.erase(note.ref);
  }
  // A disk in trouble: the pipeline knows, and its rows say "waiting" until they are too old.
  if (!needs_.rows_left(left, {}, now)) return;
}

void Delivery::enqueue(store::Tx& tx, const contract::Message& message, OutboxKind kind,
                       std::string ref, std::optional<WallTime> expires,
                       std::optional<WallTime> not_before, const Now& now) {
  if (ingress_) in_the_way_.try_emplace(ref, *ingress_);
  store::OutboxRow row;
  static_cast<Envelope&>(row) = static_cast<const Envelope&>(message);
  row.id = message.id.empty() ? MessageId(shared_.ids.next()) : message.id;
  row.link = store_link(message.link);
  row.priority = static_cast<std::uint8_t>(message.priority);
  row.customer = message.customer;
  row.kind = kind;
  row.ref = std::move(ref);
  row.created = now.wall;
  row.not_before = not_before;
  row.expires = expires ? expires : message.expires_at;
  tx.outbox().enqueue(row);
}

void Delivery::tell_crm(store::Tx& tx, const contract::EventMessage& event, OutboxKind kind,
                        std::string ref, const Now& now) {
  enqueue(tx, contract::encode_event(shared_.settings.box, event, &signer_), kind, std::move(ref),
          {}, {}, now);
}

bool Delivery::fits(LinkName link, const Envelope& message) const {
  return message.topic.size() + message.payload.size() + message.response_topic.size() +
             message.correlation.size() + message.content_type.size() + kPacketOverhead <=
         side(link).packet_bytes;
}

bool Delivery::hear_crm(const Now& now) {
  const bool first = !std::exchange(uplink_.heard, now.mono);
  if (first) {
    const auto known = shared_.store.registers().get(kTakesRegister);
    const bool takes = known && *known;
    uplink_.takes_patience =
        now.mono + (takes ? kTakesPatienceKnown : shared_.settings.crm_speaks_first);
    uplink_.consents_patience = now.mono + kConsentsPatience;
  }
  return first;
}

void Delivery::hear_consents(bool here, const Now& now) {
  if (std::exchange(uplink_.consents, here) == here) return;
  uplink_.consents_patience = now.mono + kConsentsPatience;
  if (here) pump(LinkName::uplink, now);
}

void Delivery::pump(const Now& now) {
  pump(LinkName::floor, now);
  pump(LinkName::uplink, now);
}

void Delivery::pump(LinkName name, const Now& now) {
  Side& link = mutable_side(name);
  // What was withdrawn may still stand there.
  if (!needs_.can_store()) return;
  if (link.held && *link.held > now.mono) return;
  link.held.reset();
  // A broker acknowledges what nobody subscribed to, and throws it away: first the CRM must speak.
  if (name == LinkName::uplink && !link.heard) return;
  if (name == LinkName::uplink && !link.takes && now.mono < link.takes_patience) return;
  // Somebody may have withdrawn while the line was down, or be erased.
  const bool waits =
      name == LinkName::uplink && !link.consents && now.mono < link.consents_patience;
  const auto about = waits ? store::About::nobody : store::About::anybody;
  while (link.up && link.in_flight < link.window && link.at_broker.size() < kAtBrokerMost) {
    const auto rows =
        shared_.store.outbox().take(store_link(name), link.window - link.in_flight, now, about);
    if (!rows) return needs_.store_failed(rows.error());
    if (rows->empty()) return;
    bool full = false;
    for (const auto& row : *rows) {
      if (hand_over(row, name, now)) {
        ++link.in_flight;
      } else {
        full = true;
        shared_.store.outbox().release_row(row.row);
      }
    }
    if (full) return;  // the link says when there is room
  }
}

bool Delivery::hand_over(const store::OutboxRow& row, LinkName link, const Now& now) {
  contract::Message message;
  static_cast<Envelope&>(message) = static_cast<const Envelope&>(row);
  message.id = row.id;
  message.link = link;
  std::optional<std::chrono::seconds> expiry;
  if (row.expires) {
    expiry = std::max(1s, std::chrono::ceil<std::chrono::seconds>(*row.expires - now.wall));
  }
  const bool event = message.topic == contract::event_topic(shared_.settings.box);
  // It may be from before the box key was changed, and the CRM believes the new one.
  if (event && had_another_key_ &&
      (row.kind == OutboxKind::consent || row.kind == OutboxKind::receipt ||
       row.kind == OutboxKind::retired)) {
    message.payload = contract::event_signed_again(message.payload, signer_);
  }
  if (!shared_.ports.publish(std::move(message), row.row, expiry)) return false;
  if (event) mutable_side(link).on_the_line.insert_or_assign(row.row, Event{row.id, row.ref});
  return true;
}

}  // namespace welcome::daemon
