// SPDX-License-Identifier: Apache-2.0
#include "mqtt/client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace welcome::mqtt {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::size_t kPacketMax = 268'435'455;  // MQTT 5.0, 2.1.4
constexpr auto kUpForGood = 1min;  // a broker that lets us in and throws us out is as good as away
constexpr auto kIdleTick = 1h;
constexpr int kTakenOverStep = 4;  // two programs with one client id must not take turns for ever
constexpr int kTakingTurns = 2;    // let in and thrown out so often before: it looks like that

std::string connect_text(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "nothing listens on the broker's port (connection refused)";
    case ENETUNREACH:
    case EHOSTUNREACH:
      return "there is no route to the broker";
    case ETIMEDOUT:
      return "the broker's address does not answer";
    case EACCES:
    case EPERM:
      return "this machine's firewall forbids the connection";
    default:
      return std::string("cannot connect: ") + std::strerror(error);
  }
}

// Whether it is a message of ours that the broker ends the connection for.
bool about_a_message(std::uint8_t reason) {
  switch (reason) {
    case 0x81:  // malformed packet
    case 0x82:  // protocol error
    case 0x90:  // topic name invalid
    case kPacketTooLarge:
    case 0x99:  // payload format invalid
    case kRetainNotSupported:
    case kQosNotSupported:
      return true;
    default:
      return false;
  }
}

}  // namespace

Client::Client(ClientConfig config, Handlers handlers)
    : config_(std::move(config)), handlers_(std::move(handlers)) {}

Client::~Client() { drop_socket(); }

int Client::fd() const { return lookup_ ? lookup_->fd() : fd_; }

short Client::events() const {
  if (phase_ == Phase::resolving) return POLLIN;
  if (phase_ == Phase::connecting) return POLLOUT;
  return static_cast<short>(POLLIN | (want_write_ || !out_.empty() ? POLLOUT : 0));
}

void Client::drop_socket() {
  lookup_.reset();
  tls_.reset();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

// ---- the way up ----

void Client::start(Time now) {
  phase_ = Phase::resolving;
  lookup_ = std::make_unique<Lookup>(config_.host, config_.port);
  deadline_ = now + config_.connect_timeout;
}

// Each address gets its share of the time, so that one that is silent does not hide the next.
void Client::next_address(Time now) {
  drop_socket();
  in_.clear();
  out_.clear();
  want_write_ = false;
  if (config_.tls) {
    auto tls = Tls::load(*config_.tls);
    if (!tls) return lost(now, tls.error().message);
    tls_ = std::move(*tls);
  }
  deadline_ = now + config_.connect_timeout / static_cast<long>(addresses_.size());
  const Address address = addresses_.front();
  addresses_.erase(addresses_.begin());
  phase_ = Phase::connecting;
  fd_ = socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return failed_address(now, connect_text(errno));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0 &&
      errno != EINPROGRESS) {
    failed_address(now, connect_text(errno));
  }
}

void Client::failed_address(Time now, const std::string& why) {
  if (addresses_.empty()) return lost(now, why);
  next_address(now);
}

void Client::connected(Time now) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return failed_address(now, connect_text(error));
  if (!tls_) return greet(now);
  tls_->open(fd_, config_.host);
  phase_ = Phase::securing;
  secure(now);
}

void Client::secure(Time now) {
  const Tls::Step step = tls_->handshake();
  want_write_ = step == Tls::Step::wants_write;
  if (step == Tls::Step::done) greet(now);
  if (step == Tls::Step::failed) lost(now, tls_->why());
}

void Client::greet(Time now) {
  Connect packet;
  packet.client_id = config_.client_id;
  packet.user = config_.user;
  password_ = config_.password;
  if (config_.passwords) {
    const auto all = config_.passwords();
    password_ = all.empty() ? std::string() : all[passwords_no_ % all.size()];
  }
  packet.password = password_;
  packet.session_expiry_s = config_.session_expiry_s;
  packet.clean_start = config_.session_expiry_s == 0;
  packet.keep_alive_s = config_.keep_alive_s;
  packet.receive_maximum = config_.receive_max;
  packet.maximum_packet_size = config_.packet_max;
  packet.will = config_.will;
  phase_ = Phase::greeting;
  last_heard_ = now;
  out_ += encode(packet);
  flush(now);
}

void Client::on(Time now, const Connack& connack) {
  if (connack.reason == kBadPassword || connack.reason == kNotAuthorised) ++passwords_no_;
  if (connack.reason != 0) {
    return lost(now, "the broker refuses the connection: " + reason_text(connack.reason),
                connack.reason);
  }
  if (connack.maximum_qos < 1) {
    return lost(now, "the broker does not take QoS 1, without which messages get lost",
                kQosNotSupported);
  }
  limits_.in_flight = std::min<std::size_t>(connack.receive_maximum, config_.in_flight_max);
  limits_.packet_bytes = connack.maximum_packet_size.value_or(kPacketMax);
  retain_available_ = connack.retain_available;
  keep_alive_ = std::chrono::seconds(connack.keep_alive_s.value_or(config_.keep_alive_s));
  phase_ = Phase::subscribing;
  if (config_.subscriptions.empty()) return on(now, Suback{});
  out_ += encode_subscribe(1, config_.subscriptions);
}

void Client::on(Time now, const Suback& suback) {
  for (const std::uint8_t reason : suback.reasons) {
    if (reason < kRefused) continue;
    return lost(now, "the broker refuses a subscription: " + reason_text(reason), reason);
  }
  phase_ = Phase::up;
  passwords_no_ = 0;
  if (config_.password_worked) config_.password_worked(password_);
  next_id_ = 2;
  up_since_ = last_sent_ = now;
  addresses_.clear();
  deadline_ = now + (keep_alive_ > 0s ? keep_alive_ / 4 : milliseconds(kIdleTick));
  handlers_.up(limits_);
}

// ---- the way down ----

void Client::lost(Time now, std::string why, std::uint8_t reason) {
  const bool turns = takes_turns(now);
  if (phase_ == Phase::up) {
    const bool for_good = now - up_since_ > kUpForGood;
    if (for_good) attempts_ = 0;
    brief_ = for_good ? 0 : brief_ + 1;
  }
  suspect(reason);
  drop_socket();
  phase_ = Phase::idle;
  in_flight_.clear();
  if (reason == kSessionTakenOver || turns) attempts_ = std::max(attempts_, kTakenOverStep);
  const auto window = std::min<milliseconds>(
      config_.backoff_max, config_.backoff_first * (1LL << std::min(attempts_, 16)));
  ++attempts_;
  std::uniform_int_distribution<std::int64_t> part(window.count() / 10, window.count());
  const milliseconds wait(part(random_));
  deadline_ = now + wait;
  handlers_.down({std::move(why), reason, wait});
}

// One of the messages in flight makes the broker hang up. Sent again one by one, the second time
// shows which one it is, and that one is refused instead of breaking the connection for ever.
void Client::suspect(std::uint8_t reason) {
  if (!about_a_message(reason) || in_flight_.empty()) return;
  if (one_by_one_ > 0 && in_flight_.size() == 1) {
    const std::int64_t tag = in_flight_.begin()->second;
    in_flight_.clear();
    handlers_.published(tag, reason);
  } else {
    one_by_one_ = in_flight_.size();
  }
}

// A broker need not say that it gave our session to another (Mosquitto 2.0 does not).
bool Client::takes_turns(Time now) const {
  return phase_ == Phase::up && brief_ >= kTakingTurns && now - up_since_ < kUpForGood;
}

std::string Client::ended_text(Time now) const {
  if (tls_ && !tls_->why().empty()) return tls_->why();
  if (takes_turns(now)) {
    return "the connection broke again soon after it came up: does another program connect with "
           "the same client id?";
  }
  if (phase_ != Phase::greeting) return "the connection broke";
  if (tls_) return "the broker closed the connection before it answered";
  // A TLS alert (RFC 8446, 5.1).
  if (in_.starts_with("\x15\x03")) {
    return "the broker speaks TLS on this port, and no CA file is configured";
  }
  return "the broker closed the connection before it answered: does this port want TLS?";
}

void Client::tick(Time now) {
  if (now < deadline_) return;
  switch (phase_) {
    case Phase::idle:
      return start(now);
    case Phase::resolving:
      return lost(now, "the broker's name cannot be resolved: the name server does not answer");
    case Phase::connecting:
      return failed_address(now, connect_text(ETIMEDOUT));
    case Phase::securing:
      return failed_address(now, "the broker does not answer in the TLS handshake");
    case Phase::greeting:
      return failed_address(now, "the broker does not answer: is it an MQTT 5 broker?");
    case Phase::subscribing:
      return lost(now, "the broker does not answer a subscription");
    case Phase::up:
      break;
  }
  if (keep_alive_ == 0s) {
    deadline_ = now + kIdleTick;
  } else if (now - last_heard_ > keep_alive_ + keep_alive_ / 2) {
    lost(now, "the broker has gone silent");
  } else {
    if (now - last_sent_ >= keep_alive_ / 2 || now - last_heard_ >= keep_alive_ / 2) {
      out_ += encode_pingreq();
      flush(now);
    }
    if (phase_ == Phase::up) deadline_ = now + milliseconds(keep_alive_) / 4;
  }
}

// ---- while it is up ----

void Client::ready(Time now) {
  switch (phase_) {
    case Phase::idle:
      return;
    case Phase::resolving:
      if (!lookup_->finished()) return;
      addresses_ = lookup_->addresses();
      lookup_.reset();
      if (addresses_.empty()) return lost(now, "the broker's name cannot be resolved");
      return next_address(now);
    case Phase::connecting:
      return connected(now);
    case Phase::securing:
      return secure(now);
    default:
      break;
  }
  const bool open = read_all(now);
  take_packets(now);  // a DISCONNECT that came with the end says why
  if (fd_ < 0) return;
  if (!open) return lost(now, ended_text(now));
  flush(now);
}

// False: the connection has ended. Bounded, so that a broker that never stops sending does not keep
// us from our timers.
bool Client::read_all(Time now) {
  char bytes[64 * 1024];
  for (int round = 0; round < 16 || (tls_ && tls_->pending()); ++round) {
    const long count = receive(bytes, sizeof bytes);
    if (count < 0) return false;
    if (count == 0) break;
    last_heard_ = now;
    in_.append(bytes, static_cast<std::size_t>(count));
    if (!tls_ && static_cast<std::size_t>(count) < sizeof bytes) break;  // that was all
  }
  // A broker that waits with its next small packet until this one is acknowledged (Nagle; 40 ms) is
  // not kept waiting. The kernel forgets it, so it is said each time.
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  return true;
}

void Client::take_packets(Time now) {
  const std::size_t packet_max = config_.packet_max != 0 ? config_.packet_max : kPacketMax;
  std::size_t used = 0;
  while (fd_ >= 0) {
    auto taken = take(std::string_view(in_).substr(used), packet_max);
    if (!taken) {
      const bool is_tls = phase_ == Phase::greeting && in_.starts_with("\x15\x03");
      return lost(now, is_tls ? ended_text(now) : taken.error().message);
    }
    if (!*taken) break;
    used += (*taken)->bytes;
    handle(now, std::move((*taken)->packet));
  }
  if (fd_ >= 0) in_.erase(0, used);
}

void Client::handle(Time now, Packet packet) {
  std::visit([this, now](const auto& one) { on(now, one); }, packet);
}

void Client::on(Time, const Publish& message) { handlers_.message(message); }

void Client::on(Time, const Puback& ack) {
  const auto found = in_flight_.find(ack.id);
  if (found == in_flight_.end()) return;
  const std::int64_t tag = found->second;
  in_flight_.erase(found);
  if (one_by_one_ > 0) --one_by_one_;
  handlers_.published(tag, ack.reason);
}

void Client::on(Time, const Pingresp&) {}  // that it came is all it says

void Client::on(Time now, const Disconnect& goodbye) {
  lost(now, "the broker ends the connection: " + reason_text(goodbye.reason), goodbye.reason);
}

std::size_t Client::room() const {
  if (!up()) return 0;
  const std::size_t most = one_by_one_ > 0 ? 1 : limits_.in_flight;
  return most > in_flight_.size() ? most - in_flight_.size() : 0;
}

bool Client::publish(Publish message, std::int64_t tag) {
  if (room() == 0) return false;
  if (message.retain && !retain_available_) {
    handlers_.published(tag, kRetainNotSupported);
    return true;
  }
  if (message.qos > 0) {
    message.qos = 1;
    while (next_id_ == 0 || in_flight_.contains(next_id_)) ++next_id_;
    message.id = next_id_++;
  }
  const std::string bytes = encode(message);
  if (bytes.size() > limits_.packet_bytes) {
    handlers_.published(tag, kPacketTooLarge);
    return true;
  }
  out_ += bytes;
  if (message.qos > 0) {
    in_flight_[message.id] = tag;
  } else {
    handlers_.published(tag, 0);
  }
  return true;
}

void Client::acknowledge(std::uint16_t id) {
  // A resumed session brings messages before our subscriptions are confirmed.
  if (up() || phase_ == Phase::subscribing) out_ += encode(Puback{id, 0});
}

void Client::flush(Time now) {
  std::size_t used = 0;
  while (used < out_.size()) {
    const long count = send_some(out_.data() + used, out_.size() - used);
    if (count == 0) break;
    if (count < 0) {
      out_.clear();
      read_all(now);  // the broker may have said why before it closed
      take_packets(now);
      if (fd_ >= 0) lost(now, ended_text(now));
      return;
    }
    used += static_cast<std::size_t>(count);
    last_sent_ = now;
  }
  out_.erase(0, used);
}

// Both: how many bytes; 0: not now; negative: never again.
long Client::receive(char* bytes, std::size_t size) {
  if (tls_) return tls_->receive(bytes, size);
  const ssize_t count = recv(fd_, bytes, size, 0);
  if (count > 0) return count;
  return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

long Client::send_some(const char* bytes, std::size_t size) {
  if (tls_) return tls_->send(bytes, size);
  const ssize_t count = send(fd_, bytes, size, MSG_NOSIGNAL);
  if (count >= 0) return count;
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

void Client::close(Time now) {
  if (up()) {
    out_ += encode(Disconnect{});
    flush(now);
  }
  if (tls_) tls_->say_goodbye();
  drop_socket();
  phase_ = Phase::idle;
  deadline_ = Time::max();
}

}  // namespace welcome::mqtt
