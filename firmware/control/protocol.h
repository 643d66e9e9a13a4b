// SPDX-License-Identifier: Apache-2.0
#pragma once
// The control socket: what welcomectl says to welcomed, and what comes back.
//
// A Unix stream socket. One request per connection, as one line of JSON:
//   {"v":1,"command":"status","args":{}}
// Answers are lines of JSON too: any number of {"progress":"…"} and {"part":{…}} while long work
// runs, then one last
//   {"ok":true,"data":{…}}   or   {"ok":false,"error":"…"}
// Work that would go on is stopped by closing one's sending side; its last answer still comes.
// A request may hand over one open file (SCM_RIGHTS, beside its first byte): the daemon's sandbox
// sees no home directory, and what the client may read is the client's affair.
// Pure text in, text out: no socket here. Any thread.

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace welcome::control {

inline constexpr std::size_t kMaxRequestBytes = 4 * 1024 * 1024;  // the campaigns of a replay
inline constexpr std::string_view kDefaultSocket = "/run/welcomed/control.sock";

// A file that is open, closed with its last owner; null: none.
using OpenFile = std::shared_ptr<const int>;
OpenFile own(int fd);

struct Request {
  std::string command;
  nlohmann::json args = nlohmann::json::object();
  OpenFile file = nullptr;  // handed over with it
  bool by_root = false;     // or by the daemon's own account; filled in by the socket

  // An argument; empty when it is missing or no text.
  std::string text(std::string_view name) const;
};

// One line, newline included.
std::string encode(const Request& request);
std::string encode_progress(std::string_view text);
std::string encode_part(const nlohmann::json& part);
std::string encode_data(const nlohmann::json& data);
std::string encode_error(std::string_view message);

// Errors: malformed.
Result<Request> parse_request(std::string_view line);

struct Reply {
  enum class Kind { progress, part, data, error };
  Kind kind = Kind::error;
  std::string text;     // progress or error
  nlohmann::json data;  // part or data
};
Result<Reply> parse_reply(std::string_view line);

// Bytes in a part: what to_hex() (core/hex.h) wrote, and nothing else.
std::optional<std::string> from_hex(std::string_view digits);

}  // namespace welcome::control
