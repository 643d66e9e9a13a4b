// SPDX-License-Identifier: Apache-2.0
#pragma once
// Client: one MQTT 5 connection for a poll() loop, kept up for ever with back-off.
//
// The acknowledgement of a QoS 1 message is the caller's: the CRM sends PUBACK after its database
// has committed, so that a message which the broker has let go of is always in the ledger.
//
// One thread owns it. Handlers are called from tick() and ready(), and may call publish() and
// acknowledge(). Nothing blocks; the name look-up has a thread of its own.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "mqtt/lookup.h"
#include "mqtt/packet.h"
#include "mqtt/tls.h"

namespace welcome::mqtt {

struct ClientConfig {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string client_id;
  std::string user, password;  // empty user: none
  // Instead of `password`, where more than one may be right: asked for at each connection, of which
  // each that is refused for it takes the next one. And which one let us in.
  std::function<std::vector<std::string>()> passwords{};
  std::function<void(const std::string&)> password_worked{};
  std::optional<TlsFiles> tls;
  std::uint32_t session_expiry_s = 0;  // how long the broker keeps messages for us; 0: clean start
  std::uint16_t keep_alive_s = 15;     // unless the broker says otherwise
  std::vector<Subscription> subscriptions;
  std::optional<Publish> will;
  std::uint32_t packet_max = 0;     // bytes that we take; 0: what the protocol allows
  std::uint16_t receive_max = 500;  // messages that may wait for our acknowledge()
  std::size_t in_flight_max = 500;  // messages of ours that may wait for the broker's
  std::chrono::milliseconds connect_timeout{10'000};
  // After a break the n-th attempt waits a random part of first·2ⁿ, at most max: a thousand boxes
  // do not come back in the same second.
  std::chrono::milliseconds backoff_first{250};
  std::chrono::milliseconds backoff_max{30'000};
};

// What the broker takes (CONNACK).
struct Limits {
  std::size_t in_flight = 0;
  std::size_t packet_bytes = 0;
};

struct Down {
  std::string why;          // for a person: what is wrong; no address, no credentials
  std::uint8_t reason = 0;  // of the broker (MQTT 5), or 0
  std::chrono::milliseconds retry_in{0};
};

struct Handlers {
  std::function<void(const Limits&)> up;  // connected and subscribed
  std::function<void(const Down&)> down;
  std::function<void(const Publish&)> message;
  // The broker has it, or (reason ≥ kRefused) will not take it.
  std::function<void(std::int64_t tag, std::uint8_t reason)> published;
};

class Client {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Client(ClientConfig config, Handlers handlers);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Connects, pings, gives up. To be called when deadline() has come.
  void tick(Time now);
  Time deadline() const { return deadline_; }
  int fd() const;        // -1: none
  short events() const;  // for poll()
  void ready(Time now);

  bool up() const { return phase_ == Phase::up; }
  const Limits& limits() const { return limits_; }
  // Messages of ours that the broker has not answered yet.
  std::size_t in_flight() const { return in_flight_.size(); }
  // How many more messages the broker takes now.
  std::size_t room() const;
  // False: no room. What was taken and got no `published` before `down` was perhaps delivered.
  // QoS 0 is published once it is on its way.
  bool publish(Publish message, std::int64_t tag);
  void acknowledge(std::uint16_t id);
  // Writes what publish() and acknowledge() have collected.
  void flush(Time now);
  // Says goodbye: the will is not sent.
  void close(Time now);

 private:
  enum class Phase : std::uint8_t {
    idle,
    resolving,
    connecting,
    securing,
    greeting,
    subscribing,
    up
  };

  void start(Time now);
  void next_address(Time now);
  void failed_address(Time now, const std::string& why);
  void connected(Time now);
  void lost(Time now, std::string why, std::uint8_t reason = 0);
  void suspect(std::uint8_t reason);
  void secure(Time now);
  void greet(Time now);
  bool read_all(Time now);
  void take_packets(Time now);
  void handle(Time now, Packet packet);
  void on(Time now, const Connack& connack);
  void on(Time now, const Suback& suback);
  void on(Time now, const Publish& message);
  void on(Time now, const Puback& ack);
  void on(Time now, const Pingresp& pong);
  void on(Time now, const Disconnect& goodbye);
  bool takes_turns(Time now) const;
  std::string ended_text(Time now) const;
  long receive(char* bytes, std::size_t size);
  long send_some(const char* bytes, std::size_t size);
  void drop_socket();

  const ClientConfig config_;
  const Handlers handlers_;
  Phase phase_ = Phase::idle;
  int fd_ = -1;
  std::unique_ptr<Lookup> lookup_;
  std::vector<Address> addresses_;  // still to be tried
  std::unique_ptr<Tls> tls_;  // its files are read at each connect: they may have been renewed
  bool want_write_ = false;   // TLS wants to write before it can read
  std::string in_, out_;
  Limits limits_;
  int qos_max_ = 2;
  bool retain_available_ = true;
  std::unordered_map<std::uint16_t, std::int64_t> in_flight_;  // packet id → tag
  std::size_t one_by_one_ = 0;  // so many more messages are sent alone: one of them is suspected
  std::uint16_t next_id_ = 1;
  std::chrono::seconds keep_alive_{15};  // 0: off
  Time deadline_;
  Time last_heard_, last_sent_, up_since_;
  std::string password_;          // of this connection
  std::size_t passwords_no_ = 0;  // refused in a row
  int attempts_ = 0;
  int brief_ = 0;  // connections in a row that ended soon after the broker let us in
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace welcome::mqtt
