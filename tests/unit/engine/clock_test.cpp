// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/clock.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "firmware/engine/time_sync.h"

namespace welcome::daemon {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

WallTime real_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

TEST(ReplayClock, StandsAtTheStartUntilItsEpochThenRunsAtItsSpeed) {
  const WallTime start{std::chrono::hours(24 * 365 * 50)};
  const ReplayClock future(real_now() + 1h, start, 4.0);
  EXPECT_EQ(future.now().mono, MonoTime{});
  EXPECT_EQ(future.now().wall, start);
  EXPECT_GT(future.until(MonoTime(4s)), 1h);

  // Ten real seconds ago at four times the pace: 40 s into the recording.
  const ReplayClock running(real_now() - 10s, start, 4.0);
  const Now now = running.now();
  EXPECT_GE(now.mono, MonoTime(40s));
  EXPECT_LT(now.mono, MonoTime(60s));
  EXPECT_GE(now.wall, start + 40s);
  EXPECT_TRUE(now.wall_trusted);
  EXPECT_TRUE(running.state().agreed);
  EXPECT_EQ(running.until(MonoTime(1s)), 0s);
  EXPECT_LE(running.until(now.mono + 4s), 1s);
}

// Beside the machine's, which nobody synchronises here.
class TimeOfBoot : public testing::Test {
 protected:
  TimeOfBoot() { fs::create_directories(dir_); }
  ~TimeOfBoot() override { fs::remove_all(dir_); }

  // As timesyncd does when its server has answered.
  void touch(std::chrono::seconds ago = 0s) {
    std::ofstream(file_).close();
    fs::last_write_time(file_, fs::file_time_type::clock::now() - ago);
  }
  TimeSync sync() { return TimeSync(file_, kNobodysPort); }
  SystemClock clock() {
    return {[this](WallTime wall) { return sync_(wall); }, "boot-1"};
  }

  static constexpr std::uint16_t kNobodysPort = 1;
  fs::path dir_ = fs::path(testing::TempDir()) / ("time-of-boot-" + std::to_string(::getpid()));
  fs::path file_ = dir_ / "synchronized";
  TimeSync sync_ = sync();
};

TEST_F(TimeOfBoot, IsUnknownWhenNobodyHasSaidIt) {
  const ClockState is = clock().state();
  EXPECT_EQ(is.quality, ClockQuality::unknown);
  EXPECT_FALSE(is.now.wall_trusted);
}

TEST_F(TimeOfBoot, IsSynchronisedWhileTimesyncdHearsItsServer) {
  EXPECT_FALSE(sync_(real_now()));
  touch();
  const auto first = sync_(real_now());
  ASSERT_TRUE(first);
  EXPECT_EQ(clock().state().quality, ClockQuality::synchronised);
  EXPECT_EQ(sync_(real_now()), first) << "nothing new";
  touch(3h);
  EXPECT_FALSE(sync_(real_now())) << "its server is silent, the file is still there";
  touch(-3h);
  EXPECT_FALSE(sync_(real_now())) << "somebody has set the clock back since";
}

TEST_F(TimeOfBoot, IsTheCrmsWordAndWhatHasPassedSince) {
  SystemClock clock = this->clock();
  clock.crm_says(real_now() - 24h, clock.now().mono);
  const ClockState is = clock.state();
  EXPECT_EQ(is.quality, ClockQuality::bounded);
  EXPECT_LT(std::chrono::abs(is.now.wall - (real_now() - 24h)), 1s);
  EXPECT_FALSE(is.agreed);
  clock.crm_says(real_now(), clock.now().mono);
  EXPECT_TRUE(clock.state().agreed);
}

TEST_F(TimeOfBoot, MayBeVouchedForByWhoeverHasComparedTheClockThatIsShown) {
  SystemClock clock = this->clock();
  EXPECT_FALSE(clock.technician_says(real_now() - 1h)) << "they have seen another one";
  ASSERT_TRUE(clock.technician_says(real_now()));
  EXPECT_EQ(clock.state().source, ClockSource::technician);
  SystemClock restarted = this->clock();
  restarted.remember(clock.memory());
  EXPECT_EQ(restarted.state().source, ClockSource::technician);
  SystemClock rebooted([this](WallTime wall) { return sync_(wall); }, "boot-2");
  rebooted.remember(clock.memory());
  EXPECT_EQ(rebooted.state().quality, ClockQuality::unknown);
  for (const char* damaged : {"", "{", "[]", R"({"boot":"boot-1"})", R"({"boot":1})",
                              R"({"boot":"boot-1","source":7,"said_ms":"x"})"}) {
    SystemClock odd = this->clock();
    odd.remember(damaged);
    EXPECT_EQ(odd.state().quality, ClockQuality::unknown) << damaged;
  }
}

TEST_F(TimeOfBoot, NeedsNoTechnicianWhereItIsKnown) {
  touch();
  SystemClock clock = this->clock();
  EXPECT_FALSE(clock.technician_says(real_now()));
}

// Answers on its command port as chronyd 4.3 does.
class Chronyd {
 public:
  Chronyd() {
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  ~Chronyd() { ::close(socket_); }
  Chronyd(const Chronyd&) = delete;
  Chronyd& operator=(const Chronyd&) = delete;

  // To the question that has just been asked.
  void answer(std::uint32_t reference, std::uint16_t leap, std::int64_t seconds) {
    std::array<std::uint8_t, 104> packet{};
    sockaddr_in from{};
    socklen_t size = sizeof from;
    ASSERT_EQ(::recvfrom(socket_, packet.data(), packet.size(), 0,
                         reinterpret_cast<sockaddr*>(&from), &size),
              104);
    EXPECT_EQ(packet[0], 6);
    EXPECT_EQ(packet[1], 1);
    EXPECT_EQ(packet[5], 33);
    std::array<std::uint8_t, 104> reply{6, 2, 0, 0, 0, 33, 0, 5};
    std::copy_n(packet.begin() + 8, 4, reply.begin() + 16);
    const auto put = [&](std::size_t at, std::uint64_t value, int bytes) {
      for (int i = 0; i < bytes; ++i)
        reply[at + static_cast<std::size_t>(i)] =
            static_cast<std::uint8_t>(value >> (8 * (bytes - 1 - i)));
    };
    put(28, reference, 4);
    put(54, leap, 2);
    put(56, static_cast<std::uint64_t>(seconds) >> 32U, 4);
    put(60, static_cast<std::uint64_t>(seconds), 4);
    ::sendto(socket_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
  std::uint16_t port = 0;

 private:
  int socket_ = -1;
};

TEST_F(TimeOfBoot, IsSynchronisedWhileChronydSaysSo) {
  Chronyd chronyd;
  TimeSync sync(dir_ / "none", chronyd.port);
  const auto now = std::chrono::floor<std::chrono::seconds>(real_now()).time_since_epoch().count();
  const auto said = [&](std::uint32_t reference, std::uint16_t leap, std::int64_t seconds) {
    sync(real_now());  // asks
    chronyd.answer(reference, leap, seconds);
    const auto is = sync(real_now());
    chronyd.answer(0, 3, 0);
    return is;
  };
  EXPECT_FALSE(said(0, 3, 0)) << "no server yet";
  EXPECT_EQ(said(0x0A000001, 0, now), now * 1000);
  EXPECT_FALSE(said(0x0A000001, 3, now)) << "not synchronised any more";
  EXPECT_FALSE(said(0x7F7F0101, 0, now)) << "its own clock, as `local` says";
  EXPECT_FALSE(said(0x0A000001, 0, now - 3 * 3600)) << "silent for hours";
}

}  // namespace
}  // namespace welcome::daemon
