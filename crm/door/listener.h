// SPDX-License-Identifier: Apache-2.0
#pragma once
// HTTP/1.1 on a loopback port, for a proxy that has the TLS: requests to a handler and its answers
// back, and streams of server-sent events (WHATWG HTML, "Server-sent events") that stay open.
//
// Everything has an end: headers, bodies, the time that they may take, connections, streams, and
// what waits for somebody who does not read. One thread: whoever calls run(), where the handlers
// are called too. wake() and stop() from any thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crm/crm.h"
#include "crm/door/http.h"

namespace welcome::crm {

struct ListenConfig {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: a free one
  std::size_t connections = 12'000;
  std::size_t streams_each = 5;      // of one device, or one erasure's page; the oldest has to go
  std::chrono::seconds to_read{10};  // a whole request
  std::chrono::seconds idle{75};     // between two; a proxy's own is a minute
  std::chrono::seconds pulse{25};    // an open stream says something at least that often
};

struct ListenHandlers {
  std::function<Response(const Request&)> answer;
  std::function<bool(const Stream&)> may_listen;
  std::function<std::vector<Crm::News>()> news;  // since it was asked last
};

class Listener {
 public:
  // Throws std::runtime_error when it cannot listen there.
  Listener(const ListenConfig& config, ListenHandlers handlers);
  ~Listener();

  std::uint16_t port() const;
  void run();
  void stop();
  void wake();  // there may be news

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::crm
