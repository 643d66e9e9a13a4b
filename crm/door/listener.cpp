// SPDX-License-Identifier: Apache-2.0
#include "crm/door/listener.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <optional>
#include <spdlog/spdlog.h>
#include <sstream>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace welcome::crm {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Parser = http::request_parser<http::string_body>;
using Answer = http::response<http::string_body>;

constexpr std::uint32_t kHeaderMost = 8 * 1024;
constexpr std::uint64_t kBodyMost = 16 * 1024;
constexpr std::size_t kWaitsMost = 16 * 1024;  // for who does not read; then they are cut off
constexpr std::chrono::seconds kAcceptAgain{1};
constexpr int kBacklog = 1024;

constexpr const char* kHello = "retry: 3000\n\n";
constexpr const char* kPulse = ":\n\n";

std::string text(beast::string_view view) { return {view.data(), view.size()}; }

// Who asked: the proxy's word counts when the proxy is on this machine, and of its words the last,
// which is its own.
std::string address_of(const tcp::endpoint& peer, const http::fields& fields) {
  if (peer.address().is_loopback()) {
    std::string said = text(fields["X-Forwarded-For"]);
    said.erase(0, said.rfind(',') == std::string::npos ? 0 : said.rfind(',') + 1);
    said.erase(0, said.find_first_not_of(' ') == std::string::npos ? said.size()
                                                                   : said.find_first_not_of(' '));
    boost::system::error_code bad;
    const auto address = asio::ip::make_address(said, bad);
    if (!bad) return address.to_string();
  }
  return peer.address().to_string();
}

// Two Cookie fields become one, so that two cookies of one name are seen.
std::string cookies_of(const http::fields& fields) {
  std::string out;
  const auto [first, last] = fields.equal_range(http::field::cookie);
  for (auto one = first; one != last; ++one) out += (out.empty() ? "" : "; ") + text(one->value());
  return out;
}

Request request_of(const http::request<http::string_body>& from, const tcp::endpoint& peer) {
  Request out;
  out.method = text(from.method_string());
  out.path = text(from.target());
  out.path.erase(std::min(out.path.find('?'), out.path.size()));
  out.cookie = cookies_of(from);
  out.origin = text(from[http::field::origin]);
  out.content_type = text(from[http::field::content_type]);
  out.address = address_of(peer, from);
  out.body = from.body();
  return out;
}

// What every answer says, so that no browser and no proxy makes something else of it.
void secure(http::fields& fields) {
  fields.set(http::field::cache_control, "no-store");
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  fields.set("Referrer-Policy", "no-referrer");
  fields.set("Cross-Origin-Resource-Policy", "same-origin");
}

Answer answer_of(Response from, bool keep_alive) {
  Answer out{static_cast<http::status>(from.status), 11};
  secure(out);
  if (!from.body.empty()) out.set(http::field::content_type, from.type);
  if (!from.set_cookie.empty()) out.set(http::field::set_cookie, from.set_cookie);
  if (!from.allow.empty()) out.set(http::field::allow, from.allow);
  if (from.retry_after_s > 0) {
    out.set(http::field::retry_after, std::to_string(from.retry_after_s));
  }
  out.body() = std::move(from.body);
  out.keep_alive(keep_alive);
  if (from.status != 204) out.prepare_payload();
  return out;
}

}  // namespace

class Listener::Impl {
 public:
  Impl(const ListenConfig& config, ListenHandlers handlers)
      : config_(config), handlers_(std::move(handlers)), acceptor_(io_), pulse_(io_), again_(io_) {
    boost::system::error_code bad;
    const auto address = asio::ip::make_address(config.host, bad);
    if (bad) throw std::runtime_error("the door: not an address: " + config.host);
    const tcp::endpoint at(address, config.port);
    try {
      acceptor_.open(at.protocol());
      acceptor_.set_option(asio::socket_base::reuse_address(true));
      acceptor_.bind(at);
      acceptor_.listen(kBacklog);
    } catch (const boost::system::system_error& error) {
      throw std::runtime_error("the door cannot listen at " + config.host + ":" +
                               std::to_string(config.port) + ": " + error.code().message());
    }
    accept();
    beat();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  void run() { io_.run(); }

  void stop() {
    asio::post(io_, [this] {
      acceptor_.close();
      io_.stop();
    });
  }

  // However often it is called before its turn, it is one turn.
  void wake() {
    if (woken_.exchange(true)) return;
    asio::post(io_, [this] {
      woken_ = false;
      tell();
    });
  }

 private:
  class Connection;
  friend class Connection;
  using Streams = std::list<std::shared_ptr<Connection>>;

  void accept();
  void beat();
  void tell();
  void tell(const Crm::News& news);
  void check_all();
  void add(const std::shared_ptr<Connection>& connection, const Stream& stream);
  void remove(const Connection& connection, const Stream& stream);

  ListenConfig config_;
  ListenHandlers handlers_;
  std::size_t connections_ = 0;  // outlives them
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer pulse_, again_;
  std::atomic<bool> woken_ = false;
  std::unordered_map<std::string, Streams> streams_;  // by whose
};

// ---- one connection ----

class Listener::Impl::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Impl& door, tcp::socket socket, const tcp::endpoint& peer)
      : door_(door), line_(std::move(socket)), peer_(peer) {
    ++door_.connections_;
  }
  ~Connection() { --door_.connections_; }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void wait() {
    if (!reading_) reading_ = std::make_unique<Reading>();
    if (reading_->buffer.size() > 0) return read();
    line_.expires_after(door_.config_.idle);
    // Nothing is read yet: what has a shorter limit begins with the first byte.
    wait_for_first_byte();
  }

  void say(std::string_view words) {
    if (waits_.size() + words.size() > kWaitsMost) return close();
    waits_ += words;
    if (!writing_) write_waiting();
  }
  // Its session is over, or its erasure.
  void end() {
    say("event: ended\ndata: {}\n\n");
    close();
  }
  void close() {
    if (!stream_) return;
    door_.remove(*this, *std::exchange(stream_, std::nullopt));
    boost::system::error_code ignored;
    line_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    line_.close();
  }
  const std::optional<Stream>& stream() const { return stream_; }

 private:
  struct Reading {
    beast::flat_buffer buffer{kHeaderMost + kBodyMost};
    std::optional<Parser> parser;
  };

  void wait_for_first_byte() {
    line_.async_read_some(
        reading_->buffer.prepare(1024),
        [self = shared_from_this()](boost::system::error_code bad, std::size_t n) {
          if (bad) return;
          self->reading_->buffer.commit(n);
          self->read();
        });
  }

  void read() {
    auto& parser = reading_->parser.emplace();
    parser.header_limit(kHeaderMost);
    parser.body_limit(kBodyMost);
    line_.expires_after(door_.config_.to_read);
    http::async_read(line_, reading_->buffer, parser,
                     [self = shared_from_this()](boost::system::error_code bad, std::size_t) {
                       self->on_read(bad);
                     });
  }

  void on_read(boost::system::error_code bad) {
    if (bad == http::error::header_limit || bad == http::error::buffer_overflow) {
      return write(problem(431, "too-large", "The header is too large"), false);
    }
    if (bad == http::error::body_limit) {
      return write(problem(413, "too-large", "The body is too large"), false);
    }
    if (bad.category() == make_error_code(http::error::bad_version).category() &&
        bad != http::error::end_of_stream && bad != http::error::partial_message) {
      return write(problem(400, "malformed", "This is not HTTP"), false);
    }
    if (bad) return;  // they hung up, or took too long
    const auto& request = reading_->parser->get();
    Response response = door_.handlers_.answer(request_of(request, peer_));
    if (request.method() == http::verb::head) response.body.clear();
    if (response.stream) return open_stream(std::move(response));
    write(std::move(response), request.keep_alive());
    // What was changed is told at once, and the database says it again.
    if (request.method() != http::verb::get) door_.wake();
  }

  void write(Response response, bool keep_alive) {
    answer_ = std::make_unique<Answer>(answer_of(std::move(response), keep_alive));
    http::async_write(line_, *answer_,
                      [self = shared_from_this()](boost::system::error_code bad, std::size_t) {
                        const bool stays = self->answer_->keep_alive();
                        self->answer_.reset();
                        if (bad) return;
                        if (stays) return self->wait();
                        boost::system::error_code ignored;
                        self->line_.socket().shutdown(tcp::socket::shutdown_send, ignored);
                      });
  }

  // From here on there is a socket, and nothing else that costs memory.
  void open_stream(Response response) {
    const Stream stream = *std::exchange(response.stream, std::nullopt);
    http::response<http::empty_body> head{http::status::ok, 11};
    secure(head);
    head.set(http::field::content_type, response.type);
    head.set("X-Accel-Buffering", "no");
    head.keep_alive(false);
    std::ostringstream words;
    words << head.base();
    reading_.reset();
    line_.expires_never();
    stream_ = stream;
    door_.add(shared_from_this(), stream);
    say(words.str() + kHello);
    watch();
  }

  // Whoever listens says nothing: what can be read is that they are gone.
  void watch() {
    line_.socket().async_wait(
        tcp::socket::wait_read,
        [self = shared_from_this()](boost::system::error_code) { self->close(); });
  }

  void write_waiting() {
    writing_ = true;
    sending_ = std::exchange(waits_, {});
    asio::async_write(line_.socket(), asio::buffer(sending_),
                      [self = shared_from_this()](boost::system::error_code bad, std::size_t) {
                        self->writing_ = false;
                        self->sending_ = {};
                        if (bad) return self->close();
                        if (!self->waits_.empty()) self->write_waiting();
                      });
  }

  Impl& door_;
  beast::tcp_stream line_;
  tcp::endpoint peer_;
  std::unique_ptr<Reading> reading_;
  std::unique_ptr<Answer> answer_;
  std::optional<Stream> stream_;
  std::string waits_, sending_;
  bool writing_ = false;
};

// ---- all of them ----

void Listener::Impl::accept() {
  acceptor_.async_accept([this](boost::system::error_code bad, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (bad) {
      // No file descriptor left, most likely: not at full speed.
      again_.expires_after(kAcceptAgain);
      again_.async_wait([this](boost::system::error_code) { accept(); });
      return;
    }
    boost::system::error_code gone;
    const auto peer = socket.remote_endpoint(gone);
    if (!gone && connections_ < config_.connections) {
      boost::system::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      std::make_shared<Connection>(*this, std::move(socket), peer)->wait();
    }
    accept();
  });
}

void Listener::Impl::beat() {
  pulse_.expires_after(config_.pulse);
  pulse_.async_wait([this](boost::system::error_code bad) {
    if (bad) return;
    check_all();
    // A copy: who does not read is cut off by it, and is in the list no more.
    Streams all;
    for (auto& [whose, streams] : streams_) all.insert(all.end(), streams.begin(), streams.end());
    for (auto& one : all) one->say(kPulse);
    beat();
  });
}

void Listener::Impl::tell() {
  for (auto news = handlers_.news(); !news.empty(); news = handlers_.news()) {
    for (const Crm::News& one : news) tell(one);
  }
}

void Listener::Impl::tell(const Crm::News& news) {
  if (news.whose.empty()) return check_all();
  const auto found = streams_.find(news.whose);
  if (found == streams_.end()) return;
  const std::string words = "event: " + news.what + "\ndata: {}\n\n";
  for (auto& one : Streams(found->second)) {
    if (handlers_.may_listen(*one->stream())) {
      one->say(words);
    } else {
      one->end();
    }
  }
}

void Listener::Impl::check_all() {
  std::vector<std::shared_ptr<Connection>> over;
  for (auto& [whose, streams] : streams_) {
    for (auto& one : streams) {
      if (!handlers_.may_listen(*one->stream())) over.push_back(one);
    }
  }
  for (auto& one : over) one->end();
}

void Listener::Impl::add(const std::shared_ptr<Connection>& connection, const Stream& stream) {
  Streams& streams = streams_[stream.whose];
  const auto mine = [&](const std::shared_ptr<Connection>& one) {
    return one->stream()->session == stream.session;
  };
  if (static_cast<std::size_t>(std::count_if(streams.begin(), streams.end(), mine)) >=
      config_.streams_each) {
    const auto oldest = *std::find_if(streams.begin(), streams.end(), mine);
    oldest->close();
  }
  streams_[stream.whose].push_back(connection);
}

void Listener::Impl::remove(const Connection& connection, const Stream& stream) {
  const auto found = streams_.find(stream.whose);
  if (found == streams_.end()) return;
  found->second.remove_if([&](const auto& one) { return one.get() == &connection; });
  if (found->second.empty()) streams_.erase(found);
}

// ---- outside ----

Listener::Listener(const ListenConfig& config, ListenHandlers handlers)
    : impl_(std::make_unique<Impl>(config, std::move(handlers))) {}
Listener::~Listener() = default;
std::uint16_t Listener::port() const { return impl_->port(); }
void Listener::run() { impl_->run(); }
void Listener::stop() { impl_->stop(); }
void Listener::wake() { impl_->wake(); }

}  // namespace welcome::crm
