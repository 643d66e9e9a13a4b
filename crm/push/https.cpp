// SPDX-License-Identifier: Apache-2.0
// The way to push services: HTTP/1.1 over TLS, several at a time, none longer than ten seconds.

// clang-format off
#include <utility>  // Boost 1.74's awaitable.hpp wants it and does not say so
// clang-format on
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <charconv>
#include <memory>
#include <string>

#include "core/version.h"
#include "crm/push/pusher.h"

namespace welcome::crm {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using namespace std::chrono_literals;
using asio::use_awaitable;

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

asio::awaitable<void> ask(asio::io_context& loop, asio::ssl::context& tls, const PushRequest& push,
                          PushAnswer& answer) {
  try {
    asio::ip::tcp::resolver resolver(loop);
    beast::ssl_stream<beast::tcp_stream> stream(loop, tls);
    stream.set_verify_callback(asio::ssl::host_name_verification(push.endpoint.host));
    if (SSL_set_tlsext_host_name(stream.native_handle(), push.endpoint.host.c_str()) != 1) {
      throw std::runtime_error("OpenSSL takes no server name");
    }
    const auto where = co_await resolver.async_resolve(
        push.endpoint.host, std::to_string(push.endpoint.port), use_awaitable);
    auto& line = beast::get_lowest_layer(stream);
    line.expires_after(kPatience);
    co_await line.async_connect(where, use_awaitable);
    co_await stream.async_handshake(asio::ssl::stream_base::client, use_awaitable);
    const auto request = request_of(push);
    co_await http::async_write(stream, request, use_awaitable);
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> response;
    response.body_limit(kMostAnswered);
    co_await http::async_read(stream, buffer, response, use_awaitable);
    answer.status = static_cast<int>(response.get().result_int());
    answer.retry_after = seconds_of(response.get()[http::field::retry_after]);
  } catch (const std::exception& error) {
    answer.why = error.what();
  }
}

}  // namespace

PushWay push_over_https() {
  const auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  tls->set_default_verify_paths();
  tls->set_verify_mode(asio::ssl::verify_peer);
  return [tls](const std::vector<PushRequest>& requests) {
    asio::io_context loop(1);
    std::vector<PushAnswer> answers(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      asio::co_spawn(loop, ask(loop, *tls, requests[i], answers[i]), asio::detached);
    }
    loop.run();
    return answers;
  };
}

}  // namespace welcome::crm
