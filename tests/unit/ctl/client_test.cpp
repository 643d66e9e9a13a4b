// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/client.h"

#include <array>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace welcome::ctl {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// A daemon's socket where nobody accepts: what a daemon that hangs leaves to its clients.
class Hung {
 public:
  explicit Hung(int backlog)
      : path(std::filesystem::path(testing::TempDir()) /
             ("hung-" + std::to_string(::getpid()) + ".sock")) {
    std::filesystem::remove(path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_, backlog), 0);
  }
  ~Hung() {
    ::close(fd_);
    std::filesystem::remove(path);
  }
  Hung(const Hung&) = delete;
  Hung& operator=(const Hung&) = delete;

  // Takes one connection, hears what it asks, and says `lines` with pauses before each.
  std::jthread answering(std::vector<std::string> lines, std::chrono::milliseconds pause) {
    return std::jthread([this, lines = std::move(lines), pause] {
      const int client = ::accept(fd_, nullptr, nullptr);
      char asked[4096];
      (void)::recv(client, asked, sizeof asked, 0);
      for (const auto& line : lines) {
        std::this_thread::sleep_for(pause);
        (void)::send(client, line.data(), line.size(), MSG_NOSIGNAL);
      }
      ::close(client);
    });
  }

  const std::filesystem::path path;

 private:
  int fd_ = -1;
};

Listener patient_for(std::chrono::milliseconds silence) {
  Listener listener;
  listener.silence = silence;
  return listener;
}

std::string complaint(const Hung& daemon, std::chrono::milliseconds silence) {
  const auto answer = ask(daemon.path, {"status"}, patient_for(silence));
  if (answer) return "answered";
  EXPECT_EQ(answer.error().code, ErrorCode::unavailable);
  return answer.error().message;
}

TEST(Client, DoesNotWaitForEverForADaemonThatHangs) {
  const Hung daemon(8);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THAT(complaint(daemon, 1s), HasSubstr("has not answered for 1 s"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 8s);
}

TEST(Client, NorForAPlaceInItsQueue) {
  const Hung daemon(0);
  EXPECT_THAT(complaint(daemon, 1s), HasSubstr("has not answered"));  // takes the one place
  EXPECT_THAT(complaint(daemon, 1s), HasSubstr("has not answered"));
}

TEST(Client, WorkThatGoesOnIsNotSilence) {
  Hung daemon(8);
  const auto daemon_thread =
      daemon.answering({control::encode_progress("1 of 2"), control::encode_progress("2 of 2"),
                        control::encode_data({{"x", 1}})},
                       600ms);
  const auto answer = ask(daemon.path, {"status"}, patient_for(1500ms));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ((*answer)["x"], 1);
}

TEST(Client, ADaemonThatIsAwayOrEndsSaysSo) {
  const auto away = ask("/nowhere/control.sock", {"status"}, {});
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, ErrorCode::unavailable);
  EXPECT_THAT(away.error().message, HasSubstr("is welcomed running?"));
  Hung daemon(8);
  const auto daemon_thread = daemon.answering({}, 0ms);
  EXPECT_THAT(complaint(daemon, 5s), HasSubstr("ended before it answered"));
}

// Takes one request, and the file that comes with it, and answers what stands in the file.
std::string serve_file(int listening) {
  const control::OpenFile client = control::own(::accept(listening, nullptr, nullptr));
  std::array<char, 4096> bytes{};
  std::string heard;
  control::OpenFile file;
  while (client && heard.find('\n') == std::string::npos) {
    iovec part{bytes.data(), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    const ssize_t got = ::recvmsg(*client, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0) return "no request";
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
      file = control::own(fd);
    }
    heard.append(bytes.data(), static_cast<std::size_t>(got));
  }
  std::string content(16, '\0');
  if (file) content.resize(static_cast<std::size_t>(::pread(*file, content.data(), 16, 0)));
  const std::string answer = control::encode_data({{"read", content}});
  EXPECT_EQ(::send(*client, answer.data(), answer.size(), 0), static_cast<ssize_t>(answer.size()));
  return heard;
}

TEST(Client, HandsAFileOverByWhatItIsAndNotByItsName) {
  const auto folder =
      std::filesystem::path(testing::TempDir()) / ("client-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto clip = folder / "Fran\xE7ois";
  std::ofstream(clip) << "pictures";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string socket = (folder / "socket").string();
  std::memcpy(address.sun_path, socket.c_str(), socket.size() + 1);
  const control::OpenFile listening =
      control::own(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(*listening, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(*listening, 1), 0);

  std::string heard;
  std::jthread server([&] { heard = serve_file(*listening); });
  const auto answer =
      ask(socket,
          {"enrol", {{"id", "c-1"}}, control::own(::open(clip.c_str(), O_RDONLY | O_CLOEXEC))}, {});
  server.join();
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ((*answer)["read"], "pictures");
  EXPECT_EQ(heard.find("Fran"), std::string::npos);
  const auto request = control::parse_request(heard);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->command, "enrol");
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace welcome::ctl
