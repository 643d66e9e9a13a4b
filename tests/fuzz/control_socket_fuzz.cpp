// SPDX-License-Identifier: Apache-2.0
// The control socket, spoken to by anybody: whatever comes in, the server answers with lines that
// the client understands, and goes on serving.

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

#include "firmware/daemon/control_server.h"

namespace {

namespace asio = boost::asio;
using Stream = asio::local::stream_protocol;
using welcome::control::Request;

struct Bench {
  Bench()
      : path(std::filesystem::temp_directory_path() /
             ("welcome-control-fuzz-" + std::to_string(::getpid())) / "control.sock"),
        server(loop, path, [](const Request& request, auto answer) {
          answer->progress(request.text("clip"));
          answer->data({{"command", request.command}, {"id", request.text("id")}});
        }) {}

  std::filesystem::path path;
  asio::io_context loop;
  welcome::daemon::ControlServer server;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Bench bench;
  boost::system::error_code e;
  Stream::socket client(bench.loop);
  client.connect(Stream::endpoint(bench.path.string()), e);
  if (e) std::abort();
  client.non_blocking(true);
  std::string heard;
  bool hung_up = false;
  asio::async_write(client, asio::buffer(data, size), [&](boost::system::error_code, std::size_t) {
    client.shutdown(Stream::socket::shutdown_send, e);
  });
  asio::async_read(client, asio::dynamic_buffer(heard),
                   [&](boost::system::error_code, std::size_t) { hung_up = true; });
  bench.loop.restart();
  while (!hung_up) bench.loop.run_one();

  for (std::size_t at = 0; at < heard.size();) {
    const std::size_t end = heard.find('\n', at);
    if (end == std::string::npos ||
        !welcome::control::parse_reply(std::string_view(heard).substr(at, end - at))) {
      std::abort();
    }
    at = end + 1;
  }
  return 0;
}
