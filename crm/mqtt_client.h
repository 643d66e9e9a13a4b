#pragma once
// One MQTT 5 connection for a poll() loop, kept up for ever with back-off.
//
// Unlike the box's Link (Paho) it leaves the acknowledgement of a QoS 1 message to the caller:
// the CRM sends PUBACK after its database has committed, so a message that the broker has let go
// of is always in the ledger (docs/decisions).
//
// One thread owns it. Handlers are called from tick() and ready(), and may call publish() and
// acknowledge(). Connecting looks up the host's name, which may block; nothing else does.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "crm/mqtt_packet.h"

namespace welcome::crm {

struct MqttTls {
  std::string ca_file;
  std::string cert_file, key_file;  // may be empty: no client certificate
};

struct MqttConfig {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string client_id = "crm";
  std::string user, password;
  std::optional<MqttTls> tls;
  std::uint32_t session_expiry_s = 7 * 24 * 3600;  // the broker keeps events for us that long
  std::uint16_t keep_alive_s = 15;
  std::vector<std::string> subscriptions;  // QoS 1
};

struct MqttHandlers {
  std::function<void()> up;  // connected and subscribed
  std::function<void(const std::string& why, std::chrono::milliseconds retry_in)> down;
  std::function<void(const mqtt::Publish&)> message;
  // The broker has it (reason < 0x80) or refuses it.
  std::function<void(std::int64_t tag, std::uint8_t reason)> published;
};

class MqttClient {
 public:
  using Time = std::chrono::steady_clock::time_point;

  MqttClient(MqttConfig config, MqttHandlers handlers);
  ~MqttClient();
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  // Connects, pings, gives up. To be called when deadline() has come.
  void tick(Time now);
  Time deadline() const { return deadline_; }
  int fd() const { return fd_; }  // -1: none
  short events() const;           // for poll()
  void ready(Time now);

  bool up() const { return phase_ == Phase::up; }
  // How many more messages the broker takes now.
  std::size_t room() const;
  // False: no room. What was taken and got no `published` before `down` was perhaps delivered.
  bool publish(mqtt::Publish message, std::int64_t tag);
  void acknowledge(std::uint16_t id);
  // Writes what publish() and acknowledge() have collected.
  void flush(Time now);
  // Says goodbye; the broker keeps the session.
  void close();

 private:
  enum class Phase : std::uint8_t { idle, connecting, securing, greeting, subscribing, up };
  struct Tls;

  void start(Time now);
  void lost(Time now, const std::string& why);
  void secure(Time now);
  void greet(Time now);
  void handle(Time now, mqtt::Packet packet);
  long receive(char* bytes, std::size_t size);
  long send_some(const char* bytes, std::size_t size);
  void drop_socket();

  MqttConfig config_;
  MqttHandlers handlers_;
  Phase phase_ = Phase::idle;
  int fd_ = -1;
  std::unique_ptr<Tls> tls_;
  bool want_write_ = false;  // TLS wants to write before it can read
  std::string in_, out_;
  std::size_t receive_maximum_ = 0;
  std::size_t max_packet_out_ = 0;
  std::unordered_map<std::uint16_t, std::int64_t> in_flight_;  // packet id → tag
  std::uint16_t next_id_ = 1;
  std::chrono::seconds keep_alive_{15};
  Time deadline_;
  Time last_heard_, last_sent_;
  std::chrono::milliseconds backoff_{0};
};

}  // namespace welcome::crm
