// SPDX-License-Identifier: Apache-2.0
// The way to push services: HTTP/1.1 over TLS, several at a time, none longer than ten seconds once
// its service's address is known.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <charconv>
#include <memory>
#include <string>
#include <utility>

#include "core/version.h"
#include "crm/push/pusher.h"

namespace welcome::crm {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using namespace std::chrono_literals;
using Tcp = asio::ip::tcp;

constexpr auto kPatience = 10s;
constexpr std::size_t kMostAnswered = 16 * 1024;

http::request<http::string_body> request_of(const PushRequest& push) {
  http::request<http::string_body> out(http::verb::post, push.endpoint.target, 11);
  out.set(http::field::host, push.endpoint.service());
  out.set(http::field::user_agent, std::string("welcomed/") + kVersion);
  out.set(http::field::authorization, push.authorization);
  out.set(http::field::content_encoding, "aes128gcm");
  out.set(http::field::content_type, "application/octet-stream");
  out.set("TTL", std::to_string(push.ttl.count()));
  out.set("Urgency", push.urgent ? "high" : "normal");
  out.set("Topic", push.topic);
  out.body() = push.body;
  out.prepare_payload();
  return out;
}

// Seconds; a date is not minded.
std::optional<std::chrono::seconds> seconds_of(beast::string_view text) {
  unsigned seconds = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (wrong != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

// One push on its way: each step begins the next one. It lives as long as a step is under way.
class Way : public std::enable_shared_from_this<Way> {
  auto then(auto step) { return beast::bind_front_handler(step, shared_from_this()); }

 public:
  Way(asio::io_context& loop, asio::ssl::context& tls, const PushRequest& push, PushAnswer& answer)
      : resolver_(loop),
        stream_(loop, tls),
        host_(push.endpoint.host),
        port_(std::to_string(push.endpoint.port)),
        request_(request_of(push)),
        answer_(answer) {
    response_.body_limit(kMostAnswered);
  }

  void begin() {
    stream_.set_verify_callback(asio::ssl::host_name_verification(host_));
    if (SSL_set_tlsext_host_name(stream_.native_handle(), host_.c_str()) != 1) {
      answer_.why = "OpenSSL takes no server name";
      return;
    }
    resolver_.async_resolve(host_, port_, then(&Way::resolved));
  }

 private:
  void resolved(beast::error_code wrong, const Tcp::resolver::results_type& where) {
    if (failed(wrong)) return;
    line().expires_after(kPatience);
    line().async_connect(where, then(&Way::connected));
  }
  void connected(beast::error_code wrong, const Tcp::endpoint&) {
    if (failed(wrong)) return;
    stream_.async_handshake(asio::ssl::stream_base::client, then(&Way::greeted));
  }
  void greeted(beast::error_code wrong) {
    if (failed(wrong)) return;
    http::async_write(stream_, request_, then(&Way::sent));
  }
  void sent(beast::error_code wrong, std::size_t) {
    if (failed(wrong)) return;
    http::async_read(stream_, buffer_, response_, then(&Way::answered));
  }
  void answered(beast::error_code wrong, std::size_t) {
    if (failed(wrong)) return;
    answer_.status = static_cast<int>(response_.get().result_int());
    answer_.retry_after = seconds_of(response_.get()[http::field::retry_after]);
  }

  bool failed(beast::error_code wrong) {
    if (wrong) answer_.why = wrong.message();
    return bool(wrong);
  }
  beast::tcp_stream& line() { return beast::get_lowest_layer(stream_); }

  Tcp::resolver resolver_;
  beast::ssl_stream<beast::tcp_stream> stream_;
  std::string host_, port_;
  http::request<http::string_body> request_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> response_;
  PushAnswer& answer_;
};

}  // namespace

PushWay push_over_https() {
  const auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  tls->set_default_verify_paths();
  tls->set_verify_mode(asio::ssl::verify_peer);
  return [tls](const std::vector<PushRequest>& requests) {
    asio::io_context loop(1);
    std::vector<PushAnswer> answers(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      std::make_shared<Way>(loop, *tls, requests[i], answers[i])->begin();
    }
    loop.run();
    return answers;
  };
}

}  // namespace welcome::crm
