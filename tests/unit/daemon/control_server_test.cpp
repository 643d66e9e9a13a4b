// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/control_server.h"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <sys/socket.h>
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
          file_ = request.file;
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
  control::OpenFile file_;
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

// Bytes with files beside the first of them.
void send_with(int socket, std::string bytes, const std::array<int, 8>& files) {
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof files)> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof files);
  std::memcpy(CMSG_DATA(header), files.data(), sizeof files);
  ASSERT_EQ(::sendmsg(socket, &message, 0), static_cast<ssize_t>(bytes.size()));
}

// What only the client may read: its name is gone before the daemon hears of it.
TEST_F(ControlServerTest, AFileIsHandedOverOpenForOneRequest) {
  const auto file = path_.parent_path() / "clip";
  std::ofstream(file) << "pictures";
  const auto opened = control::own(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(opened);
  std::filesystem::remove(file);
  Stream::socket client(loop_);
  client.connect(Stream::endpoint(path_.string()));
  std::array<int, 8> files{};
  files.fill(*opened);
  send_with(client.native_handle(), control::encode({"enrol", {{"id", "c-1"}}}), files);
  while (asked_.empty()) loop_.run_one();
  EXPECT_EQ(asked_, "enrol");
  ASSERT_TRUE(file_);
  std::array<char, 16> bytes{};
  ASSERT_EQ(::pread(*file_, bytes.data(), bytes.size(), 0), 8);
  EXPECT_STREQ(bytes.data(), "pictures");
  EXPECT_NE(::fcntl(*file_, F_GETFD) & FD_CLOEXEC, 0);
  client.close();
  talk(control::encode({"status", nlohmann::json::object()}));
  EXPECT_FALSE(file_);
}

TEST_F(ControlServerTest, FilesThatNobodyAskedForAreClosed) {
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = open_files();
  {
    Stream::socket client(loop_);
    client.connect(Stream::endpoint(path_.string()));
    std::array<int, 8> files{};
    files.fill(client.native_handle());
    for (int i = 0; i < 20; ++i) {
      send_with(client.native_handle(), "{", files);
      loop_.restart();
      loop_.poll();
    }
    EXPECT_LE(open_files(), before + 3) << "two ends of a socket, and one file";
  }
  loop_.restart();
  loop_.run_for(std::chrono::milliseconds(20));
  // The file that it holds is its own other end: patience ends that.
  EXPECT_LE(open_files(), before + 2);
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
