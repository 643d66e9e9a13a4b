#include "sync/link.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mqtt/async_client.h>
#include <mutex>
#include <netdb.h>
#include <random>
#include <spdlog/spdlog.h>
#include <thread>
#include <utility>

#include "sync/tls.h"

namespace welcome::sync {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Making and destroying clients touches state that the library shares between them.
std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::string reason_text(int code) {
  switch (code) {
    case 0x80:
      return "unspecified error";
    case 0x81:
      return "malformed packet";
    case 0x82:
      return "protocol error";
    case 0x84:
      return "protocol version not supported";
    case 0x85:
      return "client id not accepted";
    case 0x86:
      return "bad user name or password";
    case 0x87:
      return "not authorised";
    case 0x88:
      return "server unavailable";
    case 0x89:
      return "server busy";
    case 0x8A:
      return "banned";
    case 0x8B:
      return "server shutting down";
    case 0x8D:
      return "keep-alive timeout";
    case 0x8E:
      return "session taken over";
    case 0x93:
      return "receive maximum exceeded";
    case 0x95:
      return "packet too large";
    case 0x96:
      return "message rate too high";
    case 0x97:
      return "quota exceeded";
    case 0x98:
      return "closed by an administrator";
    case 0x99:
      return "payload format invalid";
    case 0x9F:
      return "connection rate exceeded";
    default:
      return "code " + std::to_string(code);
  }
}

// Whether the very same message could be taken later.
bool refused_for_good(int code) { return code != 0x80 && code != 0x89 && code != 0x97; }

// A name look-up that can be left behind: the C library's has no time limit of ours.
struct Lookup {
  std::mutex mutex;
  std::condition_variable done;
  bool finished = false;
  std::string address;  // numeric, of the first answer; empty: none
};

void look_up(const std::shared_ptr<Lookup>& lookup, const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string address;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) == 0) {
    char text[NI_MAXHOST] = {};
    if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      address = text;
    }
    freeaddrinfo(found);
  }
  const std::lock_guard lock(lookup->mutex);
  lookup->finished = true;
  lookup->address = std::move(address);
  lookup->done.notify_all();
}

mqtt::properties properties_of(const contract::Message& message,
                               const std::optional<std::chrono::seconds>& expiry) {
  mqtt::properties properties;
  if (!message.payload.empty() && !message.content_type.empty()) {
    properties.add({mqtt::property::CONTENT_TYPE, message.content_type});
    properties.add({mqtt::property::PAYLOAD_FORMAT_INDICATOR, 1});
  }
  if (expiry) {
    properties.add({mqtt::property::MESSAGE_EXPIRY_INTERVAL,
                    static_cast<std::int32_t>(std::max<std::int64_t>(expiry->count(), 1))});
  }
  if (!message.response_topic.empty()) {
    properties.add({mqtt::property::RESPONSE_TOPIC, message.response_topic});
  }
  if (!message.correlation.empty()) {
    properties.add({mqtt::property::CORRELATION_DATA, message.correlation});
  }
  for (const auto& [name, value] : message.user_properties) {
    properties.add({mqtt::property::USER_PROPERTY, name, value});
  }
  return properties;
}

mqtt::message_ptr to_mqtt(contract::Message message,
                          const std::optional<std::chrono::seconds>& expiry) {
  auto properties = properties_of(message, expiry);
  auto out = mqtt::make_message(std::move(message.topic), std::move(message.payload), message.qos,
                                message.retain);
  out->set_properties(std::move(properties));
  return out;
}

}  // namespace

class Link::Impl {
 public:
  Impl(LinkConfig config, Sink sink) : config_(std::move(config)), sink_(std::move(sink)) {
    if (config_.tls) require_tls_1_3();
  }

  ~Impl() { stop(2s); }

  void start() {
    thread_ = std::thread([this] { run(); });
  }

  bool publish(contract::Message message, std::int64_t tag,
               std::optional<std::chrono::seconds> expiry) {
    const std::lock_guard lock(mutex_);
    if (!up_ || stopping_ || publishes_.size() >= config_.queue) return false;
    publishes_.push_back({std::move(message), tag, expiry});
    wake_.notify_one();
    return true;
  }

  void renew() {
    const std::lock_guard lock(mutex_);
    renew_ = true;
    wake_.notify_one();
  }

  void stop(std::chrono::milliseconds patience) {
    {
      const std::lock_guard lock(mutex_);
      if (!thread_.joinable()) return;
      stopping_ = true;
      stop_until_ = Clock::now() + patience;
      wake_.notify_all();
    }
    thread_.join();
  }

 private:
  static constexpr std::int64_t kOwnTag = -1;  // of the birth message

  struct Publish {
    contract::Message message;
    std::int64_t tag = 0;
    std::optional<std::chrono::seconds> expiry;
  };

  // What the library's threads tell ours.
  struct Connected {
    std::size_t receive_maximum = 65535;
  };
  struct Failed {  // the connect, the subscribe, or the connection
    int code = 0;
    std::string reason;
  };
  struct Subscribed {};
  struct FarewellSent {};
  struct News {
    std::uint64_t connection = 0;
    std::variant<Connected, Failed, Subscribed, FarewellSent> what;
  };

  // One client of the library. Its callbacks run on the library's threads, under its mutex: they
  // copy, post and return.
  struct Connection {
    Connection(Impl& impl, std::uint64_t number, const std::string& uri)
        : id(number),
          connect_listener(impl, number),
          subscribe_listener(impl, number),
          publish_listener(impl),
          farewell_listener(impl, number) {
      mqtt::create_options options(MQTTVERSION_5);
      options.set_max_buffered_messages(65535);
      const std::lock_guard lock(library_mutex());
      client = std::make_unique<mqtt::async_client>(uri, impl.config_.client_id, options);
      client->set_message_callback([&impl](const mqtt::const_message_ptr& message) {
        if (message) impl.arrived(*message);
      });
      client->set_connection_lost_handler([&impl, number](const std::string&) {
        impl.post({number, Failed{0, "the connection broke"}});
      });
      client->set_disconnected_handler([&impl, number](const mqtt::properties&,
                                                       mqtt::ReasonCode code) {
        impl.post({number, Failed{static_cast<int>(code), reason_text(static_cast<int>(code))}});
      });
    }

    ~Connection() {
      const std::lock_guard lock(library_mutex());
      client.reset();
    }

    struct ConnectListener : mqtt::iaction_listener {
      ConnectListener(Impl& i, std::uint64_t n) : impl(i), number(n) {}
      void on_success(const mqtt::token& token) override {
        Connected connected;
        const auto properties = token.get_connect_response().get_properties();
        if (properties.contains(mqtt::property::RECEIVE_MAXIMUM)) {
          connected.receive_maximum =
              mqtt::get<std::uint16_t>(properties, mqtt::property::RECEIVE_MAXIMUM);
        }
        impl.post({number, connected});
      }
      void on_failure(const mqtt::token& token) override {
        impl.post({number, Impl::failure(token)});
      }
      Impl& impl;
      std::uint64_t number;
    };

    struct SubscribeListener : mqtt::iaction_listener {
      SubscribeListener(Impl& i, std::uint64_t n) : impl(i), number(n) {}
      void on_success(const mqtt::token& token) override {
        const auto response = token.get_subscribe_response();  // outlives the loop over its codes
        for (const auto code : response.get_reason_codes()) {
          if (static_cast<int>(code) >= 0x80) {
            impl.post({number, Failed{static_cast<int>(code),
                                      "subscription: " + reason_text(static_cast<int>(code))}});
            return;
          }
        }
        impl.post({number, Subscribed{}});
      }
      void on_failure(const mqtt::token& token) override {
        Failed failed = Impl::failure(token);
        failed.reason = "subscription: " + failed.reason;
        impl.post({number, failed});
      }
      Impl& impl;
      std::uint64_t number;
    };

    struct PublishListener : mqtt::iaction_listener {
      explicit PublishListener(Impl& i) : impl(i) {}
      void on_success(const mqtt::token& token) override {
        if (tag_of(token) == kOwnTag) return;
        impl.sink_(Acked{tag_of(token)});
      }
      void on_failure(const mqtt::token& token) override {
        const int code = static_cast<int>(token.get_reason_code());
        // Without the broker's reason the connection is gone: LinkDown says so for all of them.
        if (code >= 0x80 && tag_of(token) != kOwnTag)
          impl.sink_(Refused{tag_of(token), code, refused_for_good(code)});
      }
      static std::int64_t tag_of(const mqtt::token& token) {
        return reinterpret_cast<std::intptr_t>(token.get_user_context());
      }
      Impl& impl;
    };

    struct FarewellListener : mqtt::iaction_listener {
      FarewellListener(Impl& i, std::uint64_t n) : impl(i), number(n) {}
      void on_success(const mqtt::token&) override { impl.post({number, FarewellSent{}}); }
      void on_failure(const mqtt::token&) override { impl.post({number, FarewellSent{}}); }
      Impl& impl;
      std::uint64_t number;
    };

    std::uint64_t id;
    std::unique_ptr<mqtt::async_client> client;
    ConnectListener connect_listener;
    SubscribeListener subscribe_listener;
    PublishListener publish_listener;
    FarewellListener farewell_listener;
    std::size_t receive_maximum = 65535;
    std::size_t subscriptions_open = 0;
    bool subscribed = false;
    Clock::time_point give_up_at;
    Clock::time_point up_since;
  };

  void post(News news) {
    const std::lock_guard lock(mutex_);
    news_.push_back(std::move(news));
    wake_.notify_one();
  }

  static Failed failure(const mqtt::token& token) {
    // A refused connect has the broker's reason as its return code.
    const int code = std::max(static_cast<int>(token.get_reason_code()), token.get_return_code());
    if (code >= 0x80) return {code, reason_text(code)};
    return {0, mqtt::exception::error_str(token.get_return_code())};
  }

  void arrived(const mqtt::message& message) {
    // We told the broker that we take no such packet (Maximum Packet Size).
    if (message.get_payload_ref().size() > contract::kMaxPayload) return;
    contract::RawMessage raw;
    raw.topic = message.get_topic();
    raw.payload = message.get_payload_str();
    raw.retained = message.is_retained();
    const mqtt::properties& properties = message.get_properties();
    if (properties.contains(mqtt::property::RESPONSE_TOPIC)) {
      raw.response_topic = mqtt::get<std::string>(properties, mqtt::property::RESPONSE_TOPIC);
    }
    if (properties.contains(mqtt::property::CORRELATION_DATA)) {
      raw.correlation = mqtt::get<std::string>(properties, mqtt::property::CORRELATION_DATA);
    }
    sink_(std::move(raw));
  }

  // ---- the link's own thread ----

  void run() {
    next_attempt_ = Clock::now();
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (news_.empty() && publishes_.empty() && !renew_) {
        wake_.wait_until(lock, next_deadline());
      }
      auto news = std::exchange(news_, {});
      auto publishes = std::exchange(publishes_, {});
      const bool renew = std::exchange(renew_, false);
      lock.unlock();
      for (News& one : news) handle(one);
      for (Publish& one : publishes) send(one);
      if (renew && active_ && !next_) next_ = connect();
      on_time();
      lock.lock();
    }
    lock.unlock();
    say_goodbye();
    next_.reset();
    active_.reset();
  }

  Clock::time_point next_deadline() const {
    Clock::time_point at = Clock::time_point::max();
    if (!active_) at = next_attempt_;
    if (active_ && !active_->subscribed) at = std::min(at, active_->give_up_at);
    if (next_) at = std::min(at, next_->give_up_at);
    return std::min(at, Clock::now() + 1h);
  }

  void on_time() {
    const auto now = Clock::now();
    if (!active_ && now >= next_attempt_) active_ = connect();
    if (active_ && !active_->subscribed && now >= active_->give_up_at) {
      down({0, "no answer in time"});
    }
    if (next_ && now >= next_->give_up_at) {
      spdlog::warn("{}: renewal got no answer, the old connection stays", config_.client_id);
      next_.reset();
    }
  }

  // Starts a connection; null if it could not even start (then down() has been called).
  std::unique_ptr<Connection> connect() {
    std::string host = config_.host;
    const std::string address = resolve(host);
    if (address.empty()) {
      if (!active_) down({0, "the broker's name cannot be resolved"});
      return nullptr;
    }
    // With TLS the library needs the name, to check it against the certificate.
    if (!config_.tls) host = address;
    if (host.find(':') != std::string::npos) host = "[" + host + "]";
    const std::string uri =
        (config_.tls ? "ssl://" : "tcp://") + host + ":" + std::to_string(config_.port);
    try {
      auto connection = std::make_unique<Connection>(*this, ++connections_, uri);
      connection->give_up_at = Clock::now() + config_.connect_timeout + 2s;
      connection->client->connect(connect_options(), nullptr, connection->connect_listener);
      return connection;
    } catch (const mqtt::exception& error) {
      if (!active_) down({0, error.what()});
      return nullptr;
    }
  }

  std::string resolve(const std::string& host) {
    auto lookup = std::make_shared<Lookup>();
    std::thread(look_up, lookup, host).detach();
    std::unique_lock lock(lookup->mutex);
    const auto until = Clock::now() + config_.connect_timeout;
    while (!lookup->finished && Clock::now() < until) {
      lookup->done.wait_for(lock, 50ms);
      lock.unlock();
      {
        const std::lock_guard own(mutex_);
        if (stopping_) return {};
      }
      lock.lock();
    }
    return lookup->address;
  }

  mqtt::connect_options connect_options() {
    mqtt::connect_options options;
    options.set_mqtt_version(MQTTVERSION_5);
    options.set_clean_start(true);
    options.set_keep_alive_interval(config_.keep_alive);
    options.set_connect_timeout(std::chrono::duration_cast<std::chrono::seconds>(
        std::max<std::chrono::milliseconds>(config_.connect_timeout, 1s)));
    options.set_automatic_reconnect(false);
    options.set_max_inflight(65535);
    mqtt::properties properties;
    properties.add({mqtt::property::MAXIMUM_PACKET_SIZE,
                    static_cast<std::int32_t>(contract::kMaxPayload + 64 * 1024)});
    properties.add({mqtt::property::RECEIVE_MAXIMUM, 100});
    options.set_properties(properties);
    if (!config_.user.empty()) {
      options.set_user_name(config_.user);
      options.set_password(config_.password);
    }
    if (config_.will) options.set_will_message(to_mqtt(*config_.will, std::nullopt));
    if (config_.tls) {
      mqtt::ssl_options tls;
      tls.set_trust_store(config_.tls->ca_file);
      if (!config_.tls->cert_file.empty()) {
        tls.set_key_store(config_.tls->cert_file);
        tls.set_private_key(config_.tls->key_file);
      }
      tls.set_enable_server_cert_auth(true);
      tls.set_verify(config_.tls->check_server_name);
      tls.set_ssl_version(MQTT_SSL_VERSION_DEFAULT);  // the highest both know; see tls.h
      // No error handler: Paho C++ 1.2.0 hands the library a pointer to an object that is gone
      // when it is called.
      if (!config_.tls->alpn.empty()) tls.set_alpn_protos(config_.tls->alpn);
      options.set_ssl(tls);
    }
    return options;
  }

  void handle(const News& news) {
    Connection* connection = active_ && active_->id == news.connection ? active_.get()
                             : next_ && next_->id == news.connection   ? next_.get()
                                                                       : nullptr;
    if (connection == nullptr) return;  // of a client that is gone
    if (const auto* connected = std::get_if<Connected>(&news.what)) {
      connection->receive_maximum = connected->receive_maximum;
      subscribe(*connection);
    } else if (std::holds_alternative<Subscribed>(news.what)) {
      if (--connection->subscriptions_open == 0) came_up(*connection);
    } else if (const auto* failed = std::get_if<Failed>(&news.what)) {
      if (connection == next_.get()) {
        spdlog::warn("{}: renewal failed ({}), the old connection stays", config_.client_id,
                     failed->reason);
        next_.reset();
      } else if (next_) {
        // Most likely the broker has let the new connection in, which ends the old one.
        active_ = std::move(next_);
        tell_down({0, "certificates renewed"}, 0ms);
      } else {
        down(*failed);
      }
    }
  }

  void subscribe(Connection& connection) {
    connection.subscriptions_open = config_.subscriptions.size() + config_.echoed.size();
    if (connection.subscriptions_open == 0) {
      came_up(connection);
      return;
    }
    try {
      // One by one: the library's call for many crashes with options (Paho C++ 1.2.0).
      for (const auto* filters : {&config_.subscriptions, &config_.echoed}) {
        const bool no_local = filters == &config_.subscriptions;
        for (const std::string& filter : *filters) {
          connection.client->subscribe(filter, 1, nullptr, connection.subscribe_listener,
                                       mqtt::subscribe_options(no_local));
        }
      }
    } catch (const mqtt::exception& error) {
      post({connection.id, Failed{0, error.what()}});
    }
  }

  void came_up(Connection& connection) {
    connection.subscribed = true;
    connection.up_since = Clock::now();
    if (next_ && next_.get() == &connection) {
      tell_down({0, "certificates renewed"}, 0ms);
      active_ = std::move(next_);
    }
    if (config_.birth) send({*config_.birth, kOwnTag, std::nullopt});
    {
      const std::lock_guard lock(mutex_);
      up_ = true;
    }
    sink_(LinkUp{active_->receive_maximum});
  }

  void down(const Failed& failed) {
    // A broker that lets us in and throws us out again is as good as one that is away.
    if (active_ && active_->subscribed && Clock::now() - active_->up_since > 1min) attempts_ = 0;
    const auto window = std::min<std::chrono::milliseconds>(
        config_.backoff_max, config_.backoff_first * (1LL << std::min(attempts_, 16)));
    ++attempts_;
    std::uniform_int_distribution<std::int64_t> part(window.count() / 10, window.count());
    const std::chrono::milliseconds wait(part(random_));
    next_attempt_ = Clock::now() + wait;
    active_.reset();
    tell_down(failed, wait);
  }

  void tell_down(const Failed& failed, std::chrono::milliseconds wait) {
    {
      const std::lock_guard lock(mutex_);
      up_ = false;
      publishes_.clear();
    }
    sink_(LinkDown{failed.reason, failed.code, wait});
  }

  void send(const Publish& one) {
    if (!active_ || !active_->subscribed) return;  // LinkDown has been said
    try {
      active_->client->publish(to_mqtt(one.message, one.expiry),
                               reinterpret_cast<void*>(static_cast<std::intptr_t>(one.tag)),
                               active_->publish_listener);
    } catch (const mqtt::exception&) {
      // Too many in flight, or the connection is just breaking.
      if (one.tag != kOwnTag) sink_(Refused{one.tag, 0, false});
    }
  }

  void say_goodbye() {
    if (!active_ || !active_->subscribed) return;
    try {
      if (config_.farewell) {
        active_->client->publish(to_mqtt(*config_.farewell, std::nullopt), nullptr,
                                 active_->farewell_listener);
        std::unique_lock lock(mutex_);
        wake_.wait_until(lock, stop_until_, [this] {
          return std::any_of(news_.begin(), news_.end(), [](const News& news) {
            return std::holds_alternative<FarewellSent>(news.what) ||
                   std::holds_alternative<Failed>(news.what);
          });
        });
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(stop_until_ - Clock::now());
      const auto token =
          active_->client->disconnect(static_cast<int>(std::max(left, 100ms).count()));
      token->wait_for(std::max(left, 100ms));
    } catch (const mqtt::exception&) {
      // It broke while we were leaving: then the will speaks for us.
    }
  }

  const LinkConfig config_;
  const Sink sink_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<News> news_;
  std::deque<Publish> publishes_;
  bool up_ = false;
  bool renew_ = false;
  bool stopping_ = false;
  Clock::time_point stop_until_;

  // Of the link's thread alone.
  std::unique_ptr<Connection> active_;
  std::unique_ptr<Connection> next_;  // while certificates are renewed
  std::uint64_t connections_ = 0;
  int attempts_ = 0;
  Clock::time_point next_attempt_;
  std::mt19937_64 random_{std::random_device{}()};

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
