// SPDX-License-Identifier: Apache-2.0
#pragma once
// ControlServer: the daemon's end of the control socket.
//
// Runs on the engine's loop; the handler is called there and answers through the Answer it is
// given, now or later (an enrolment takes seconds). A client that goes away, sends nonsense or
// sends nothing for ten seconds is closed and counted; it never holds up the loop.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "firmware/control/protocol.h"

namespace boost::asio {
class io_context;
}

namespace welcome::daemon {

// The way back to one client. Copies share it. Engine thread.
class Answer {
 public:
  virtual ~Answer() = default;
  virtual void progress(std::string_view text) = 0;
  virtual void part(const nlohmann::json& part) = 0;
  virtual void data(const nlohmann::json& data) = 0;  // the last word
  virtual void error(std::string_view message) = 0;   // the last word
  // The client wants no more of work that would go on: it closed its sending side, or is gone.
  virtual bool stopped() const = 0;
  // Bytes that the client has not taken yet: whoever sends much sends no more when they pile up.
  virtual std::size_t backlog() const = 0;
};

class ControlServer {
 public:
  using Handler = std::function<void(const control::Request&, std::shared_ptr<Answer>)>;

  // Replaces a socket that a killed daemon left behind; the socket is for owner and group only.
  // Throws std::system_error.
  ControlServer(boost::asio::io_context& loop, const std::filesystem::path& path, Handler handler);
  ~ControlServer();

  std::uint64_t refused() const;  // connections closed for what they sent, or did not

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace welcome::daemon
