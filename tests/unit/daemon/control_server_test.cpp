#include "firmware/daemon/control_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

namespace welcome::daemon {
namespace {

namespace asio = boost::asio;
using Stream = asio::local::stream_protocol;
using testing::HasSubstr;

class ControlServerTest : public testing::Test {
 protected:
  ControlServerTest()
      : path_(std::filesystem::path(testing::TempDir()) / ("ctl-" + std::to_string(::getpid())) /
              "control.sock"),
        server_(loop_, path_, [this](const control::Request& request, auto answer) {
          asked_ = request.command;
          if (throws_) throw std::runtime_error("out of order");
          if (request.command == "endless") {
            answer->part({{"n", 1}});
            endless_ = answer;
            return;
          }
          answer->progress("half way");
          answer->data({{"echo", request.args}});
        }) {}

  // Says `bytes` and hears until the server hangs up.
  std::string talk(const std::string& bytes) {
    std::string heard;
    std::jthread client([&] {
      asio::io_context io;
      Stream::socket socket(io);
      socket.connect(Stream::endpoint(path_.string()));
      boost::system::error_code e;
      asio::write(socket, asio::buffer(bytes), e);
      socket.shutdown(Stream::socket::shutdown_send, e);
      asio::read(socket, asio::dynamic_buffer(heard), e);
      loop_.stop();
    });
    loop_.restart();
    loop_.run();
    return heard;
  }

  std::filesystem::path path_;
  asio::io_context loop_;
  std::string asked_;
  bool throws_ = false;
  std::shared_ptr<Answer> endless_;
  ControlServer server_;
};

TEST_F(ControlServerTest, AnswersWithProgressAndData) {
  const std::string heard = talk(control::encode({"status", {{"a", 1}}}));
  EXPECT_EQ(asked_, "status");
  EXPECT_EQ(heard, "{\"progress\":\"half way\"}\n{\"data\":{\"echo\":{\"a\":1}},\"ok\":true}\n");
}

TEST_F(ControlServerTest, NonsenseIsRefusedWithTheReasonAndCounted) {
  EXPECT_THAT(talk("GET / HTTP/1.1\n"), HasSubstr("\"ok\":false"));
  EXPECT_THAT(talk(std::string(control::kMaxRequestBytes + 10, 'x')), HasSubstr("too long"));
  EXPECT_EQ(talk(""), "");
  EXPECT_TRUE(asked_.empty());
  EXPECT_EQ(server_.refused(), 3U);
}

TEST_F(ControlServerTest, HostileClientsDoNotKeepOthersFromTheirAnswer) {
  // Half a line, nothing at all, megabytes, an answer that nobody reads: all at once.
  std::vector<Stream::socket> hostile;
  boost::system::error_code e;
  for (int i = 0; i < 12; ++i) {
    Stream::socket& socket = hostile.emplace_back(loop_);
    socket.connect(Stream::endpoint(path_.string()));
    socket.non_blocking(true);
    if (i % 3 == 0) asio::write(socket, asio::buffer(std::string("{\"v\":1,\"comm")), e);
    if (i % 3 == 1) socket.write_some(asio::buffer(std::string(2'000'000, 'x')), e);
    loop_.restart();
    loop_.poll();
  }
  const std::string heard = talk(control::encode({"status", {{"a", 1}}}));
  EXPECT_THAT(heard, HasSubstr("\"ok\":true"));
}

TEST_F(ControlServerTest, TooManyAreTurnedAwayAndAreWelcomeLater) {
  std::vector<Stream::socket> crowd;
  for (int i = 0; i < 40; ++i) {
    crowd.emplace_back(loop_).connect(Stream::endpoint(path_.string()));
    loop_.restart();
    loop_.poll();
  }
  EXPECT_GE(server_.refused(), 20U);
  crowd.clear();
  loop_.restart();
  loop_.poll();
  EXPECT_THAT(talk(control::encode({"status", nlohmann::json::object()})),
              HasSubstr("\"ok\":true"));
}

TEST_F(ControlServerTest, AnExceptionIsAnAnswer) {
  throws_ = true;
  EXPECT_THAT(talk(control::encode({"status", nlohmann::json::object()})),
              HasSubstr("out of order"));
  throws_ = false;
  EXPECT_THAT(talk(control::encode({"status", nlohmann::json::object()})),
              HasSubstr("\"ok\":true"));
}

TEST_F(ControlServerTest, WorkWithoutAnEndIsStoppedByTheClient) {
  asio::io_context io;
  Stream::socket client(io);
  client.connect(Stream::endpoint(path_.string()));
  asio::write(client, asio::buffer(control::encode({"endless", nlohmann::json::object()})));
  while (!endless_) loop_.run_one();
  loop_.run_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(endless_->stopped());
  EXPECT_EQ(endless_->backlog(), 0U);
  client.shutdown(Stream::socket::shutdown_send);
  while (!endless_->stopped()) loop_.run_one();
  endless_->data({{"n", 2}});
  endless_.reset();
  loop_.restart();
  loop_.run_for(std::chrono::milliseconds(20));
  std::string heard;
  boost::system::error_code e;
  asio::read(client, asio::dynamic_buffer(heard), e);
  EXPECT_EQ(heard, "{\"part\":{\"n\":1}}\n{\"data\":{\"n\":2},\"ok\":true}\n");
}

TEST_F(ControlServerTest, SocketIsForOwnerAndGroupOnly) {
  const auto permissions = std::filesystem::status(path_).permissions();
  EXPECT_EQ(permissions & std::filesystem::perms::others_all, std::filesystem::perms::none);
}

}  // namespace
}  // namespace welcome::daemon
