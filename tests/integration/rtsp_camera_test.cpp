// SPDX-License-Identifier: Apache-2.0
// The network camera against a live stream of a real RTSP server, with a password; cut and back.

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "vision/frame_source.h"

namespace welcome::vision {
namespace {

using namespace std::chrono_literals;

MonoTime now() {
  return MonoTime(std::chrono::duration_cast<MonoTime::duration>(
      std::chrono::steady_clock::now().time_since_epoch()));
}

// The server as a process of its own, ended with the object or by cut().
class Server {
 public:
  explicit Server(const std::string& port) {
    std::array<int, 2> out{};
    if (::pipe(out.data()) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(out[1], STDOUT_FILENO);
      ::close(out[0]);
      ::execl(WELCOME_RTSP_SERVER, WELCOME_RTSP_SERVER, port.c_str(), "eva", "pass word:1",
              static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(out[1]);
    FILE* words = ::fdopen(out[0], "r");
    std::array<char, 64> line{};
    if (std::fgets(line.data(), line.size(), words) != nullptr) {
      port_ = std::string(line.data() + 5);
      port_.erase(port_.find_last_not_of("\n") + 1);
    }
    std::fclose(words);
  }
  ~Server() { cut(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& port() const { return port_; }
  // Says nothing more, and lets go of nothing.
  void hang() const { ::kill(pid_, SIGSTOP); }
  void cut() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  std::string port_;
};

std::unique_ptr<FrameSource> camera(const std::string& port, const std::string& account,
                                    double fps = 0) {
  return make_rtsp_source({"rtsp://" + account + "127.0.0.1:" + port + "/desk", fps, now});
}

std::optional<Frame> frame_within(FrameSource& source, std::chrono::seconds patience) {
  for (const auto end = now() + patience; now() < end;) {
    if (auto frame = source.next(100ms)) return std::move(*frame);
  }
  return std::nullopt;
}

MonoTime::duration noticed_after(FrameSource& source) {
  const auto cut = now();
  while (source.state() != SourceState::failed && now() - cut < 10s) (void)source.next(100ms);
  return now() - cut;
}

class RtspCamera : public testing::Test {
 protected:
  void SetUp() override {
    if (server_.port().empty()) {
      GTEST_SKIP() << "GStreamer's RTSP server (gir1.2-gst-rtsp-server-1.0)";
    }
  }

  Server server_{"0"};
};

TEST_F(RtspCamera, GivesPicturesToWhoHasThePassword) {
  const auto source = camera(server_.port(), "eva:pass%20word%3A1@");
  const auto frame = frame_within(*source, 20s);
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->image.width(), 320);
  EXPECT_EQ(frame->image.height(), 240);
  EXPECT_EQ(source->state(), SourceState::running);

  const auto stranger = camera(server_.port(), "");
  EXPECT_FALSE(stranger->next(100ms).has_value());
  EXPECT_EQ(stranger->state(), SourceState::failed);
}

TEST_F(RtspCamera, SaysWhatTheOtherSideAnswered) {
  const auto answer = [](const std::string& url) {
    const auto source = make_rtsp_source({url, 0, now});
    return source->next(100ms).error().message;
  };
  const std::string address = "127.0.0.1:" + server_.port();
  EXPECT_NE(answer("rtsp://eva:wrong@" + address + "/desk").find("401"), std::string::npos);
  EXPECT_NE(answer("rtsp://eva:pass%20word%3A1@" + address + "/attic").find("404"),
            std::string::npos);
  server_.hang();
  EXPECT_EQ(answer("rtsp://" + address + "/desk"), "no answer from its address");
  server_.cut();
  EXPECT_EQ(answer("rtsp://" + address + "/desk"), "nobody listens at its address");
}

TEST_F(RtspCamera, GivesNoMoreThanIsAskedFor) {
  const auto source = camera(server_.port(), "eva:pass%20word%3A1@", 3);
  ASSERT_TRUE(frame_within(*source, 20s).has_value());
  const auto began = now();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(frame_within(*source, 5s).has_value());
  EXPECT_GE(now() - began, 600ms);
}

TEST_F(RtspCamera, ACutIsNoticedWithinThreeSecondsAndTheStreamComesBack) {
  const auto source = camera(server_.port(), "eva:pass%20word%3A1@");
  ASSERT_TRUE(frame_within(*source, 20s).has_value());
  server_.cut();
  EXPECT_LE(noticed_after(*source), 3s);

  const Server again(server_.port());
  ASSERT_EQ(again.port(), server_.port());
  EXPECT_TRUE(frame_within(*source, 20s).has_value());
  EXPECT_EQ(source->state(), SourceState::running);
}

TEST_F(RtspCamera, AServerThatHangsIsNoticedWithinThreeSeconds) {
  const auto source = camera(server_.port(), "eva:pass%20word%3A1@");
  ASSERT_TRUE(frame_within(*source, 20s).has_value());
  server_.hang();
  EXPECT_LE(noticed_after(*source), 3s);
}

}  // namespace
}  // namespace welcome::vision
