// SPDX-License-Identifier: Apache-2.0
#pragma once
// Delivery: the way from the outbox to the two links. Hands rows over as far as a link's window
// goes, and takes them out of the outbox when the broker has them, refuses them for good, or they
// are too late. An event stays until the CRM says that it is in its ledger (`taken`), as far as
// that CRM says so at all: a broker may lose what it acknowledged. What is about somebody waits on
// the uplink until the box has the CRM's consents, and so has taken out what they withdrew
// meanwhile. Engine thread only.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "contract/signing.h"
#include "firmware/engine/latency.h"
#include "firmware/engine/shared.h"
#include "sync/link.h"

namespace welcome::daemon {

class Delivery {
 public:
  // A row that has left the outbox: sent, or never to be.
  struct Left {
    store::OutboxNote note;
    bool sent = false;
  };
  struct Needs {
    virtual ~Needs() = default;
    virtual void store_failed(const Error& error) = 0;
    virtual bool can_store() const = 0;
    // Decides what follows, and stores it in one transaction with `also`.
    [[nodiscard]] virtual Result<void> rows_left(const std::vector<Left>& rows, const Also& also,
                                                 const Now& now) = 0;
  };
  struct Event {
    MessageId id;
    std::string ref;
  };
  struct AtBroker {
    std::int64_t row = 0;
    MonoTime since{};
  };
  struct Side {
    bool up = false;
    std::size_t window = 0;
    std::size_t packet_bytes = SIZE_MAX;  // of one packet, that the broker takes
    std::size_t in_flight = 0;
    std::string why_down = "not connected yet";
    std::optional<MonoTime> heard{};      // when the other side last spoke on this connection, …
    MonoTime patience{};                  // … for which decisions wait until then
    bool takes = false;                   // it says which events it has taken, …
    MonoTime takes_patience{};            // … for which events wait until then
    bool consents = false;                // they are here as the CRM has them, …
    MonoTime consents_patience{};         // … for which what is about somebody waits until then
    std::optional<MonoTime> held{};       // nothing is handed over until then
    std::vector<std::int64_t> acked{};    // rows to be deleted, several in one transaction
    std::vector<std::int64_t> refused{};  // the same: the broker will never take them
    std::set<std::int64_t> refused_once{};
    std::unordered_map<std::int64_t, Event> on_the_line{};  // until the broker has them
    std::unordered_map<MessageId, AtBroker> at_broker{};    // until the CRM has taken them
  };

  // `signer`: the box's own key.
  Delivery(Shared& shared, const contract::Signer& signer, Needs& needs, const Now& now);

  void up(contract::LinkName link, const sync::LinkUp& broker, const Now& now);
  void down(contract::LinkName link, const std::string& reason, const Now& now);
  void acked(contract::LinkName link, const sync::Acked& acked, const Now& now);
  // True: the message is set aside, the broker will never take it. What it refuses twice it never
  // takes.
  bool refused(contract::LinkName link, const sync::Refused& refused, const Now& now);
  void taken(const contract::Taken& taken, const Now& now);
  void settle(const Now& now);
  void pump(const Now& now);
  void pump(contract::LinkName link, const Now& now);
  // What is too late and what cannot be read any more leaves the outbox.
  void drop_unsendable(const Now& now);

  void enqueue(store::Tx& tx, const contract::Message& message, OutboxKind kind, std::string ref,
               std::optional<WallTime> expires, std::optional<WallTime> not_before, const Now& now);
  // An event for the CRM, in its simplest form.
  void tell_crm(store::Tx& tx, const contract::EventMessage& event, OutboxKind kind,
                std::string ref, const Now& now);

  // Whether the broker, as far as it is known, takes a packet of this size.
  bool fits(contract::LinkName link, const Envelope& message) const;

  // The CRM has spoken on this line. True for the first time.
  bool hear_crm(const Now& now);
  // Whether the CRM's consents are here, as it has them.
  void hear_consents(bool here, const Now& now);
  // Events that the CRM has not taken though it has been there long enough go once more.
  void send_untaken_again(const Now& now);
  // Whether decisions wait for the CRM's consents.
  bool waits_for_crm(const Now& now) const {
    return !uplink_.consents && now.mono < uplink_.patience;
  }

  // What leads to a message between these two counts for its latency.
  void begin(Ingress ingress) { ingress_ = ingress; }
  void end() { ingress_.reset(); }

  const Side& side(contract::LinkName link) const {
    return link == contract::LinkName::uplink ? uplink_ : floor_;
  }
  const Latency& latency() const { return latency_; }

 private:
  Side& mutable_side(contract::LinkName link) {
    return link == contract::LinkName::uplink ? uplink_ : floor_;
  }
  void settle(contract::LinkName link, const Now& now);
  void settle_many(contract::LinkName link, const Now& now);
  void arrived(const std::string& ref);
  // False: the link has no room.
  bool hand_over(const store::OutboxRow& row, contract::LinkName link, const Now& now);

  Shared& shared_;
  const contract::Signer& signer_;
  Needs& needs_;
  const bool had_another_key_;  // what waits may be signed with the one before
  Side uplink_;
  Side floor_;
  Latency latency_;
  std::optional<Ingress> ingress_;                       // of the input being handled
  std::unordered_map<std::string, Ingress> in_the_way_;  // ref → its input; until acked
  std::unordered_map<std::int64_t, int> again_;          // events: how often they went once more
};

}  // namespace welcome::daemon
