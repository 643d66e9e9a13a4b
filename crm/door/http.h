// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the door is asked and what it answers, without a socket: the listener makes one of the
// other. Values; any thread.

#include <optional>
#include <string>

namespace welcome::crm {

struct Request {
  std::string method;  // "GET"
  std::string path;    // "/v1/me", without a query
  std::string cookie;  // these as they came; empty: missing
  std::string origin;
  std::string content_type;
  std::string address;  // of who asks, as far as the proxy is believed
  std::string body;
};

// The connection stays open, and hears of what changes.
struct Stream {
  std::string whose;    // a customer, or an erasure
  std::string session;  // hash of the session's token; empty: of an erasure
};

struct Response {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  std::string set_cookie;  // empty: none
  std::string allow;       // of a 405
  int retry_after_s = 0;   // 0: not said
  std::optional<Stream> stream;
};

// RFC 9457. `name` becomes the type, urn:welcomed:problem:NAME; a page knows problems by it.
Response problem(int status, const char* name, const char* title);

}  // namespace welcome::crm
