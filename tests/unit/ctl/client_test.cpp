#include "firmware/ctl/client.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
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

}  // namespace
}  // namespace welcome::ctl
