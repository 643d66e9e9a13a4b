#include "crm/mqtt_client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <random>
#include <sys/socket.h>
#include <unistd.h>

#include "contract/contract.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::size_t kMaxPacket = contract::kMaxPayload + 64 * 1024;
constexpr std::uint16_t kReceiveMaximum = 500;  // messages that wait for our commit
constexpr std::size_t kMaxInFlight = 500;
constexpr auto kConnectTimeout = 10s;
constexpr milliseconds kBackoffMin = 250ms;
constexpr milliseconds kBackoffMax = 30s;

milliseconds jitter(milliseconds most) {
  static thread_local std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<long> pick(most.count() / 2, most.count());
  return milliseconds(pick(random));
}

std::string tls_error(const char* what) {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  return std::string(what) + ": " + text;
}

}  // namespace

struct MqttClient::Tls {
  SSL_CTX* context = nullptr;
  SSL* session = nullptr;

  explicit Tls(const MqttTls& files) : context(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_locations(context, files.ca_file.c_str(), nullptr) != 1) {
      throw std::runtime_error(tls_error("cannot read the CA file"));
    }
    if (!files.cert_file.empty() &&
        (SSL_CTX_use_certificate_chain_file(context, files.cert_file.c_str()) != 1 ||
         SSL_CTX_use_PrivateKey_file(context, files.key_file.c_str(), SSL_FILETYPE_PEM) != 1)) {
      throw std::runtime_error(tls_error("cannot use the client certificate"));
    }
  }
  ~Tls() {
    drop();
    SSL_CTX_free(context);
  }
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  void open(int fd, const std::string& host) {
    drop();
    session = SSL_new(context);
    SSL_set_fd(session, fd);
    SSL_set_tlsext_host_name(session, host.c_str());
    SSL_set1_host(session, host.c_str());
    SSL_set_connect_state(session);
  }
  void drop() {
    SSL_free(session);
    session = nullptr;
  }
};

MqttClient::MqttClient(MqttConfig config, MqttHandlers handlers)
    : config_(std::move(config)), handlers_(std::move(handlers)) {
  if (config_.tls) tls_ = std::make_unique<Tls>(*config_.tls);
}

MqttClient::~MqttClient() { drop_socket(); }

void MqttClient::drop_socket() {
  if (tls_) tls_->drop();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

short MqttClient::events() const {
  if (phase_ == Phase::connecting) return POLLOUT;
  return static_cast<short>(POLLIN | (want_write_ || !out_.empty() ? POLLOUT : 0));
}

void MqttClient::start(Time now) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(config_.host.c_str(), std::to_string(config_.port).c_str(), &hints, &found) !=
      0) {
    lost(now, "the broker's name has no address");
    return;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  fd_ = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  in_.clear();
  out_.clear();
  want_write_ = false;
  deadline_ = now + kConnectTimeout;
  phase_ = Phase::connecting;
  if (connect(fd_, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
    lost(now, std::string("cannot connect: ") + std::strerror(errno));
  }
}

void MqttClient::lost(Time now, const std::string& why) {
  drop_socket();
  phase_ = Phase::idle;
  in_flight_.clear();
  backoff_ = std::clamp(backoff_ * 2, kBackoffMin, kBackoffMax);
  const milliseconds wait = jitter(backoff_);
  deadline_ = now + wait;
  handlers_.down(why, wait);
}

void MqttClient::tick(Time now) {
  if (now < deadline_) return;
  if (phase_ == Phase::idle) {
    start(now);
  } else if (phase_ != Phase::up) {
    lost(now, "the broker does not answer");
  } else if (now - last_heard_ > keep_alive_ + keep_alive_ / 2) {
    lost(now, "the broker has gone silent");
  } else {
    if (now - last_sent_ >= keep_alive_ / 2 || now - last_heard_ >= keep_alive_ / 2) {
      out_ += mqtt::encode_pingreq();
      flush(now);
    }
    if (phase_ == Phase::up) deadline_ = now + keep_alive_ / 4;
  }
}

void MqttClient::ready(Time now) {
  if (phase_ == Phase::connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      lost(now, std::string("cannot connect: ") + std::strerror(error));
    } else if (tls_) {
      tls_->open(fd_, config_.host);
      phase_ = Phase::securing;
      secure(now);
    } else {
      greet(now);
    }
    return;
  }
  if (phase_ == Phase::securing) {
    secure(now);
    return;
  }
  char bytes[64 * 1024];
  // Bounded, so that a broker that never stops sending does not keep us from our timers; but what
  // TLS has decrypted already, poll() would not tell us about.
  for (int round = 0; round < 16 || (tls_ && SSL_pending(tls_->session) > 0); ++round) {
    const long count = receive(bytes, sizeof bytes);
    if (count == 0) break;
    if (count < 0) {
      lost(now, "the connection was closed");
      return;
    }
    last_heard_ = now;
    in_.append(bytes, static_cast<std::size_t>(count));
  }
  std::size_t used = 0;
  while (fd_ >= 0) {
    auto taken = mqtt::take(std::string_view(in_).substr(used), kMaxPacket);
    if (!taken) {
      lost(now, taken.error().message);
      return;
    }
    if (!*taken) break;
    used += (*taken)->bytes;
    handle(now, std::move((*taken)->packet));
  }
  if (fd_ < 0) return;
  in_.erase(0, used);
  flush(now);
}

void MqttClient::secure(Time now) {
  const int rc = SSL_do_handshake(tls_->session);
  if (rc == 1) {
    want_write_ = false;
    greet(now);
    return;
  }
  const int why = SSL_get_error(tls_->session, rc);
  want_write_ = why == SSL_ERROR_WANT_WRITE;
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) lost(now, tls_error("TLS failed"));
}

void MqttClient::greet(Time now) {
  mqtt::Connect packet;
  packet.client_id = config_.client_id;
  packet.user = config_.user;
  packet.password = config_.password;
  packet.session_expiry_s = config_.session_expiry_s;
  packet.clean_start = config_.session_expiry_s == 0;
  packet.keep_alive_s = config_.keep_alive_s;
  packet.receive_maximum = kReceiveMaximum;
  packet.maximum_packet_size = kMaxPacket;
  phase_ = Phase::greeting;
  last_heard_ = now;
  out_ += mqtt::encode(packet);
  flush(now);
}

void MqttClient::handle(Time now, mqtt::Packet packet) {
  if (const auto* connack = std::get_if<mqtt::Connack>(&packet)) {
    if (connack->reason != 0) {
      lost(now,
           "the broker refuses the connection (reason " + std::to_string(connack->reason) + ")");
      return;
    }
    receive_maximum_ = std::min<std::size_t>(connack->receive_maximum, kMaxInFlight);
    max_packet_out_ = connack->maximum_packet_size.value_or(UINT32_MAX);
    keep_alive_ = std::chrono::seconds(connack->keep_alive_s.value_or(config_.keep_alive_s));
    phase_ = Phase::subscribing;
    out_ += mqtt::encode_subscribe(1, config_.subscriptions);
  } else if (const auto* suback = std::get_if<mqtt::Suback>(&packet)) {
    for (const std::uint8_t reason : suback->reasons) {
      if (reason >= 0x80) {
        lost(now, "the broker refuses a subscription (reason " + std::to_string(reason) + ")");
        return;
      }
    }
    phase_ = Phase::up;
    backoff_ = 0ms;
    next_id_ = 2;
    last_sent_ = now;
    deadline_ = now + keep_alive_ / 4;
    handlers_.up();
  } else if (const auto* message = std::get_if<mqtt::Publish>(&packet)) {
    handlers_.message(*message);
  } else if (const auto* ack = std::get_if<mqtt::Puback>(&packet)) {
    const auto found = in_flight_.find(ack->id);
    if (found == in_flight_.end()) return;
    const std::int64_t tag = found->second;
    in_flight_.erase(found);
    handlers_.published(tag, ack->reason);
  } else if (const auto* goodbye = std::get_if<mqtt::Disconnect>(&packet)) {
    lost(now, "the broker ends the connection (reason " + std::to_string(goodbye->reason) + ")");
  }
}

std::size_t MqttClient::room() const {
  return up() && in_flight_.size() < receive_maximum_ ? receive_maximum_ - in_flight_.size() : 0;
}

bool MqttClient::publish(mqtt::Publish message, std::int64_t tag) {
  if (room() == 0) return false;
  while (next_id_ == 0 || in_flight_.contains(next_id_)) ++next_id_;
  message.id = next_id_++;
  message.qos = 1;
  std::string bytes = mqtt::encode(message);
  if (bytes.size() > max_packet_out_) {
    handlers_.published(tag, 0x95);  // packet too large
    return true;
  }
  in_flight_[message.id] = tag;
  out_ += bytes;
  return true;
}

void MqttClient::acknowledge(std::uint16_t id) {
  // A resumed session brings messages before our subscriptions are confirmed.
  if (up() || phase_ == Phase::subscribing) out_ += mqtt::encode(mqtt::Puback{id, 0});
}

void MqttClient::flush(Time now) {
  std::size_t used = 0;
  while (used < out_.size()) {
    const long count = send_some(out_.data() + used, out_.size() - used);
    if (count == 0) break;
    if (count < 0) {
      lost(now, "the connection broke");
      return;
    }
    used += static_cast<std::size_t>(count);
    last_sent_ = now;
  }
  out_.erase(0, used);
}

// Both: how many bytes; 0: not now; negative: never again.
long MqttClient::receive(char* bytes, std::size_t size) {
  if (tls_) {
    ERR_clear_error();
    std::size_t count = 0;
    const int rc = SSL_read_ex(tls_->session, bytes, size, &count);
    if (rc == 1) return static_cast<long>(count);
    const int why = SSL_get_error(tls_->session, rc);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
  }
  const ssize_t count = recv(fd_, bytes, size, 0);
  if (count > 0) return count;
  return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

long MqttClient::send_some(const char* bytes, std::size_t size) {
  if (tls_) {
    ERR_clear_error();
    std::size_t count = 0;
    const int rc = SSL_write_ex(tls_->session, bytes, size, &count);
    if (rc == 1) return static_cast<long>(count);
    const int why = SSL_get_error(tls_->session, rc);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
  }
  const ssize_t count = send(fd_, bytes, size, MSG_NOSIGNAL);
  if (count >= 0) return count;
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

void MqttClient::close() {
  if (up()) {
    out_ += mqtt::encode(mqtt::Disconnect{});
    flush(Time::clock::now());
  }
  drop_socket();
  phase_ = Phase::idle;
}

}  // namespace welcome::crm
