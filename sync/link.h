// SPDX-License-Identifier: Apache-2.0
#pragma once
// Link: one MQTT 5 connection, kept up for ever, behind one thread.
//
// publish() only enqueues, so nobody waits for the network. Events come to the sink on the link's
// thread: copy, post, return.
//
// The session is clean at every connect: what matters is said by hello and by the outbox, and a
// broker that keeps three days of old feed for a box only makes it late.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "contract/contract.h"
#include "contract/message.h"
#include "mqtt/tls.h"

namespace welcome::sync {

struct LinkConfig {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string client_id;
  std::string user;  // empty: none
  std::string password;
  // As mqtt::ClientConfig has them; called on the link's thread.
  std::function<std::vector<std::string>()> passwords{};
  std::function<void(const std::string&)> password_worked{};
  std::optional<mqtt::TlsFiles> tls;
  std::vector<std::string> subscriptions;  // QoS 1; without what this link sent itself
  std::vector<std::string> echoed;         // QoS 1; that too, in the broker's order
  // Retained state: `will` is left with the broker, `birth` sent after each connect, `farewell`
  // by stop(). Empty for a link without them.
  std::optional<contract::Message> will;
  std::optional<contract::Message> birth;
  std::optional<contract::Message> farewell;
  std::chrono::seconds keep_alive{10};
  std::chrono::milliseconds connect_timeout{10'000};
  // After a break the n-th attempt waits a random part of first·2ⁿ, at most max: a thousand boxes
  // do not come back in the same second.
  std::chrono::milliseconds backoff_first{5'000};
  std::chrono::milliseconds backoff_max{60'000};
  std::size_t queue = 1000;  // publishes waiting for the thread; beyond it publish() says no
};

struct LinkUp {
  std::size_t receive_maximum = 65535;  // how many QoS 1 messages the broker takes in flight
  std::size_t packet_bytes = SIZE_MAX;  // how large a packet it takes (Maximum Packet Size)
};
struct LinkDown {
  std::string reason;  // for a person; no address, no credentials
  int code = 0;        // MQTT 5 reason code, or 0
  std::chrono::milliseconds retry_in{0};
};
// The broker took the message with this tag (PUBACK; for QoS 0: it is on the wire).
struct Acked {
  std::int64_t tag = 0;
};
// The broker refused it: not authorised, quota, too large … (MQTT 5 reason code ≥ 0x80).
struct Refused {
  std::int64_t tag = 0;
  int code = 0;
  bool for_good = false;  // sending the same again cannot help
  std::string why{};      // the code in words
};

using LinkEvent = std::variant<LinkUp, LinkDown, Acked, Refused, contract::RawMessage>;

// Of a message of QoS 1: while a copy of it is kept the broker does not hear that the message was
// taken (PUBACK), and beyond a number of them it keeps back what follows. Null for all else. Any
// thread may let go of it, also after the link's end.
using Receipt = std::shared_ptr<const void>;

class Link {
 public:
  using Sink = std::function<void(LinkEvent, Receipt)>;

  Link(LinkConfig config, Sink sink);
  ~Link();  // stop() if that was not called
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void start();

  // Any thread. `expiry` is what is left of the message's life. False: the queue is full or the
  // link is down, try again after LinkUp or an Acked. A message that was taken and got no Acked or
  // Refused before LinkDown was perhaps delivered: send it again.
  bool publish(contract::Message message, std::int64_t tag,
               std::optional<std::chrono::seconds> expiry = std::nullopt);

  // New certificate files are in place: connects again with them, and keeps the old connection
  // until the new one is up. Any thread.
  void renew();

  // Publishes the farewell, disconnects, ends the thread. At most `patience`.
  void stop(std::chrono::milliseconds patience = std::chrono::seconds(2));

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::sync
