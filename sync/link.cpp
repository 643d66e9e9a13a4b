// SPDX-License-Identifier: Apache-2.0
#include "sync/link.h"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "mqtt/client.h"

namespace welcome::sync {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kPacketMax = contract::kMaxPayload + 64 * 1024;
// With messages as large as may be that is less than the inbox takes: the broker keeps the rest.
constexpr std::uint16_t kReceiveMax = 15;
constexpr std::size_t kInFlightMax = 65'535;
// Of so many messages under way none is waited for: what comes is read once in a while, together. A
// broker acknowledges each in a packet of its own.
constexpr std::size_t kManyUnderWay = 64;
constexpr auto kReadEvery = 1ms;
constexpr std::int64_t kBirthTag = -1;
constexpr std::int64_t kFarewellTag = -2;

mqtt::Publish to_mqtt(contract::Message message,
                      const std::optional<std::chrono::seconds>& expiry = std::nullopt) {
  mqtt::Publish out;
  out.topic = std::move(message.topic);
  out.payload = std::move(message.payload);
  out.qos = message.qos;
  out.retain = message.retain;
  out.content_type = std::move(message.content_type);
  out.response_topic = std::move(message.response_topic);
  out.correlation = std::move(message.correlation);
  if (expiry) {
    out.expiry_s = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(expiry->count(), 1, std::int64_t{UINT32_MAX} - 1));
  }
  return out;
}

mqtt::ClientConfig client_config(const LinkConfig& config) {
  mqtt::ClientConfig out;
  out.host = config.host;
  out.port = config.port;
  out.client_id = config.client_id;
  out.user = config.user;
  out.password = config.password;
  out.passwords = config.passwords;
  out.password_worked = config.password_worked;
  out.tls = config.tls;
  out.keep_alive_s = static_cast<std::uint16_t>(config.keep_alive.count());
  for (const std::string& filter : config.subscriptions) {
    out.subscriptions.push_back({filter, true});
  }
  for (const std::string& filter : config.echoed) out.subscriptions.push_back({filter, false});
  if (config.will) out.will = to_mqtt(*config.will);
  out.packet_max = kPacketMax;
  out.receive_max = kReceiveMax;
  out.in_flight_max = kInFlightMax;
  out.connect_timeout = config.connect_timeout;
  out.backoff_first = config.backoff_first;
  out.backoff_max = config.backoff_max;
  return out;
}

// What wakes the link's thread, and the numbers of the messages that have been dealt with. Receipts
// keep it, so it may outlive the link.
class Bell {
 public:
  Bell() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::runtime_error("no file descriptor is left for a link");
  }
  ~Bell() { ::close(fd_); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  int fd() const { return fd_; }
  void ring() const {
    const std::uint64_t one = 1;
    // A counter that is full already wakes, too.
    [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
  }
  void quiet() const {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t taken = ::read(fd_, &count, sizeof count);
  }

  void dealt_with(std::uint64_t message) {
    {
      const std::lock_guard lock(mutex_);
      dealt_with_.push_back(message);
    }
    ring();
  }
  std::vector<std::uint64_t> take_dealt_with() {
    const std::lock_guard lock(mutex_);
    return std::exchange(dealt_with_, {});
  }

 private:
  const int fd_;
  std::mutex mutex_;
  std::vector<std::uint64_t> dealt_with_;
};

class Held {
 public:
  Held(std::shared_ptr<Bell> bell, std::uint64_t message)
      : bell_(std::move(bell)), message_(message) {}
  ~Held() { bell_->dealt_with(message_); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  const std::shared_ptr<Bell> bell_;
  const std::uint64_t message_;
};

}  // namespace

class Link::Impl {
 public:
  Impl(LinkConfig config, Sink sink) : config_(std::move(config)), sink_(std::move(sink)) {}
  ~Impl() { stop(2s); }

  void start() {
    thread_ = std::thread([this] { run(); });
  }

  bool publish(contract::Message message, std::int64_t tag,
               std::optional<std::chrono::seconds> expiry) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      if (!up_ || stopping_ || publishes_.size() >= config_.queue) return false;
      first = publishes_.empty();
      publishes_.push_back({std::move(message), tag, expiry});
    }
    // Who was rung for takes all that is there, or as much as there is room for until a PUBACK.
    if (first) bell_->ring();
    return true;
  }

  void renew() {
    const std::lock_guard lock(mutex_);
    renew_ = true;
    bell_->ring();
  }

  void stop(std::chrono::milliseconds patience) {
    {
      const std::lock_guard lock(mutex_);
      if (!thread_.joinable()) return;
      stopping_ = true;
      stop_until_ = Clock::now() + patience;
      bell_->ring();
    }
    thread_.join();
  }

 private:
  struct Publish {
    contract::Message message;
    std::int64_t tag = 0;
    std::optional<std::chrono::seconds> expiry;
  };
  // A message that whoever works on it has not let go of yet.
  struct Unacknowledged {
    std::uint64_t number = 0;
    std::uint64_t client = 0;
    std::uint16_t id = 0;
    bool dealt_with = false;
  };

  // ---- the link's own thread ----

  void run() {
    active_ = make_client();
    while (true) {
      const auto [active_ready, next_ready] = wait();
      const auto now = Clock::now();
      // Either may take the other's place meanwhile; what goes is kept until the next turn.
      mqtt::Client* const active = active_.get();
      mqtt::Client* const next = next_.get();
      if (active_ready) {
        active->ready(now);
        if (active->in_flight() >= kManyUnderWay) read_again_ = now + kReadEvery;
      }
      active->tick(now);
      if (next != nullptr) {
        if (next_ready) next->ready(now);
        next->tick(now);
      }
      retired_.clear();
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) break;
        if (std::exchange(renew_, false) && active_->up() && !next_) next_ = make_client();
      }
      acknowledge();
      send_queued(now);
    }
    next_.reset();
    say_goodbye();
  }

  std::unique_ptr<mqtt::Client> make_client() {
    const std::uint64_t number = ++clients_;
    if (!active_) active_number_ = number;
    const auto is_active = [this, number] { return number == active_number_; };
    return std::make_unique<mqtt::Client>(
        client_config(config_),
        mqtt::Handlers{
            .up =
                [this, is_active](const mqtt::Limits& limits) {
                  if (!is_active()) next_takes_over();
                  came_up(limits);
                },
            .down =
                [this, is_active, number](const mqtt::Down& down) {
                  forget_unacknowledged(number);
                  is_active() ? active_went_down(down) : next_went_down(down);
                },
            .message = [this, number](const mqtt::Publish& message) { arrived(message, number); },
            .published =
                [this](std::int64_t tag, std::uint8_t reason) {
                  if (tag == kFarewellTag) {
                    farewell_sent_ = true;
                  } else if (tag == kBirthTag) {
                    if (reason >= mqtt::kRefused) birth_refused(reason);
                  } else if (reason < mqtt::kRefused) {
                    sink_(Acked{tag}, nullptr);
                  } else {
                    sink_(Refused{tag, reason, mqtt::refused_for_good(reason),
                                  mqtt::reason_text(reason)},
                          nullptr);
                  }
                }});
  }

  mqtt::Client& client(std::uint64_t number) {
    return number == active_number_ ? *active_ : *next_;
  }

  // Until a client has something to do or somebody wants something. Which of the two are ready.
  std::pair<bool, bool> wait() const {
    const auto now = Clock::now();
    const bool later = now < read_again_;
    std::array<pollfd, 3> fds{
        {{bell_->fd(), POLLIN, 0},
         {active_->fd(), wanted(later ? without_reading(active_->events()) : active_->events()), 0},
         {next_ ? next_->fd() : -1, next_ ? wanted(next_->events()) : short{0}, 0}}};
    auto deadline = active_->deadline();
    if (next_) deadline = std::min(deadline, next_->deadline());
    if (later) deadline = std::min(deadline, read_again_);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
    poll(fds.data(), fds.size(),
         static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
    if (fds[0].revents != 0) bell_->quiet();
    return {fds[1].revents != 0, fds[2].revents != 0};
  }

  // Mosquitto 2.0.11 answers each PUBACK with as many messages as we take in all, so its queue
  // would come here as a whole. What we do not read, TCP holds back.
  short wanted(short events) const {
    return unacknowledged_.size() > kReceiveMax ? without_reading(events) : events;
  }
  static short without_reading(short events) { return static_cast<short>(events & ~POLLIN); }

  // ---- renewal ----

  void next_takes_over() {
    tell_down("certificates renewed", 0, 0ms);
    active_->close(Clock::now());
    forget_unacknowledged(active_number_);
    retired_.push_back(std::exchange(active_, std::move(next_)));
    active_number_ = clients_;
  }

  void next_went_down(const mqtt::Down& down) {
    spdlog::warn("{}: renewal failed ({}), the old connection stays", config_.client_id, down.why);
    retired_.push_back(std::move(next_));
  }

  // A broker lets one client id in once: most likely the new connection has ended the old one.
  void active_went_down(const mqtt::Down& down) {
    if (next_) return next_takes_over();
    tell_down(down.why, down.reason, down.retry_in);
  }

  // ---- up, down, and what passes ----

  void came_up(const mqtt::Limits& limits) {
    if (config_.birth) active_->publish(to_mqtt(*config_.birth), kBirthTag);
    {
      const std::lock_guard lock(mutex_);
      up_ = true;
    }
    sink_(LinkUp{limits.in_flight, limits.packet_bytes}, nullptr);
  }

  void birth_refused(std::uint8_t reason) const {
    spdlog::warn("{}: the broker refuses our state: {}", config_.client_id,
                 mqtt::reason_text(reason));
  }

  void tell_down(const std::string& why, int code, std::chrono::milliseconds retry_in) {
    {
      const std::lock_guard lock(mutex_);
      up_ = false;
      publishes_.clear();
    }
    sink_(LinkDown{why, code, retry_in}, nullptr);
  }

  void arrived(const mqtt::Publish& message, std::uint64_t client) {
    Receipt receipt;
    if (message.qos > 0) {
      unacknowledged_.push_back({++messages_, client, message.id});
      receipt = std::make_shared<const Held>(bell_, messages_);
    }
    // We told the broker that we take no such packet (Maximum Packet Size).
    if (message.payload.size() > contract::kMaxPayload) return;
    sink_(contract::RawMessage{message.topic, message.payload, message.retain,
                               message.response_topic, message.correlation},
          std::move(receipt));
  }

  // In the order in which they came (MQTT 5.0, 4.6).
  void acknowledge() {
    for (const std::uint64_t number : bell_->take_dealt_with()) {
      const auto one = std::find_if(unacknowledged_.begin(), unacknowledged_.end(),
                                    [&](const auto& it) { return it.number == number; });
      if (one != unacknowledged_.end()) one->dealt_with = true;
    }
    while (!unacknowledged_.empty() && unacknowledged_.front().dealt_with) {
      const auto& first = unacknowledged_.front();
      client(first.client).acknowledge(first.id);
      unacknowledged_.pop_front();
    }
  }

  // With the connection the broker forgets that it sent them.
  void forget_unacknowledged(std::uint64_t client) {
    unacknowledged_.erase(std::remove_if(unacknowledged_.begin(), unacknowledged_.end(),
                                         [&](const auto& it) { return it.client == client; }),
                          unacknowledged_.end());
  }

  void send_queued(Clock::time_point now) {
    while (active_->room() > 0) {
      Publish one;
      {
        const std::lock_guard lock(mutex_);
        if (publishes_.empty()) break;
        one = std::move(publishes_.front());
        publishes_.pop_front();
      }
      active_->publish(to_mqtt(std::move(one.message), one.expiry), one.tag);
    }
    if (active_->up()) active_->flush(now);
  }

  void say_goodbye() {
    farewell_sent_ = !config_.farewell || active_->room() == 0;
    if (!farewell_sent_) {
      active_->publish(to_mqtt(*config_.farewell), kFarewellTag);
      active_->flush(Clock::now());
    }
    while (!farewell_sent_ && active_->up() && Clock::now() < stop_until_) {
      pollfd fd{active_->fd(), active_->events(), 0};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(stop_until_ - Clock::now());
      if (poll(&fd, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) > 0) {
        active_->ready(Clock::now());
      }
    }
    active_->close(Clock::now());
  }

  const LinkConfig config_;
  const Sink sink_;
  const std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();

  std::mutex mutex_;
  std::deque<Publish> publishes_;
  bool up_ = false;
  bool renew_ = false;
  bool stopping_ = false;
  Clock::time_point stop_until_;

  // Of the link's thread alone.
  std::unique_ptr<mqtt::Client> active_;
  std::unique_ptr<mqtt::Client> next_;                  // while certificates are renewed
  std::vector<std::unique_ptr<mqtt::Client>> retired_;  // in whose calls we may still be
  Clock::time_point read_again_;                        // of the active one: not before
  std::uint64_t clients_ = 0;
  std::uint64_t active_number_ = 0;
  std::deque<Unacknowledged> unacknowledged_;
  std::uint64_t messages_ = 0;
  bool farewell_sent_ = false;

  std::thread thread_;
};

Link::Link(LinkConfig config, Sink sink)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(sink))) {}
Link::~Link() = default;

void Link::start() { impl_->start(); }

bool Link::publish(contract::Message message, std::int64_t tag,
                   std::optional<std::chrono::seconds> expiry) {
  return impl_->publish(std::move(message), tag, expiry);
}

void Link::renew() { impl_->renew(); }

void Link::stop(std::chrono::milliseconds patience) { impl_->stop(patience); }

}  // namespace welcome::sync
