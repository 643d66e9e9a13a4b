// SPDX-License-Identifier: Apache-2.0
// The source on a real pty, with the emulated controller at the other end.

#include "beacon/hci_source.h"

#include <atomic>
#include <condition_variable>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <mutex>
#include <poll.h>
#include <stdlib.h>
#include <system_error>
#include <termios.h>
#include <thread>
#include <unistd.h>

#include "tests/unit/beacon/adverts.h"
#include "tests/unit/beacon/controller_emulator.h"

namespace welcome::beacon {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What a host sends: commands.
class CommandFramer {
 public:
  void feed(std::span<const std::uint8_t> bytes, std::vector<std::vector<std::uint8_t>>& packets) {
    constexpr std::size_t kHeader = 4;
    line_.insert(line_.end(), bytes.begin(), bytes.end());
    while (line_.size() >= kHeader && line_.size() >= kHeader + line_[3]) {
      const auto end = line_.begin() + static_cast<std::ptrdiff_t>(kHeader + line_[3]);
      packets.emplace_back(line_.begin(), end);
      line_.erase(line_.begin(), end);
    }
  }

 private:
  std::vector<std::uint8_t> line_;
};

// Plays the controller on the master side of a pty, on a thread.
class PtyController {
 public:
  PtyController() {
    master_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) {
      throw std::system_error(errno, std::generic_category(), "no pty");
    }
    path_ = ::ptsname(master_);
    termios line{};
    ::tcgetattr(master_, &line);
    ::cfmakeraw(&line);
    ::tcsetattr(master_, TCSANOW, &line);
    thread_ = std::thread([this] { run(); });
  }
  ~PtyController() {
    stop_ = true;
    thread_.join();
    ::close(master_);
  }
  const std::string& path() const { return path_; }
  std::atomic<bool> deaf_mute{false};
  std::atomic<bool> lose_a_byte{false};  // of what it says next
  std::atomic<bool> mumbles{false};      // loses one of every hundred bytes
  std::atomic<int> resets{0};

 private:
  void run() {
    ControllerEmulator radio;
    CommandFramer framer;
    std::size_t lost = 0;
    const auto advert = make_advertising_event(fob_advert(fob("x"), -60, now_at(0)));
    while (!stop_) {
      pollfd fd{master_, POLLIN, 0};
      ::poll(&fd, 1, 5);
      std::array<std::uint8_t, 512> buffer;
      const ssize_t n = ::read(master_, buffer.data(), buffer.size());
      std::vector<std::vector<std::uint8_t>> packets;
      if (n > 0) framer.feed({buffer.data(), static_cast<std::size_t>(n)}, packets);
      radio.silent = deaf_mute;
      for (const auto& packet : packets) radio.take(packet);
      resets = radio.resets;
      radio.hear(advert);
      while (!radio.to_host.empty()) {
        auto packet = radio.to_host.front();
        radio.to_host.pop_front();
        lost += packet.size();
        if (lose_a_byte.exchange(false) || (mumbles && lost >= 100)) {
          packet.erase(packet.begin() + static_cast<std::ptrdiff_t>(lost % packet.size()));
          lost = 0;
        }
        if (::write(master_, packet.data(), packet.size()) < 0) break;
      }
    }
  }

  int master_ = -1;
  std::string path_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct Watched {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t reports = 0;
  std::vector<SourceState> states;

  SourceCallbacks callbacks() {
    return {[this](std::vector<AdvertReport> batch) {
              const std::lock_guard lock(mutex);
              reports += batch.size();
              changed.notify_all();
            },
            [this](const SourceStatus& status) {
              const std::lock_guard lock(mutex);
              states.push_back(status.state);
              changed.notify_all();
            }};
  }
  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, seconds{20}, condition);
  }
};

Now steady_now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {MonoTime{std::chrono::duration_cast<std::chrono::microseconds>(since)}, kMorning, true};
}

HciSourceConfig quick() {
  HciSourceConfig config;
  config.host.command_timeout = milliseconds{200};
  config.host.resets_before_failure = 1;
  config.first_pause = milliseconds{20};
  config.longest_pause = milliseconds{50};
  return config;
}

TEST(HciSource, HearsThroughAPtyAndStopsPromptly) {
  PtyController controller;
  Watched got;
  auto source = make_hci_source(
      quick(), [&] { return open_h4_line(controller.path(), 0, false); }, steady_now);
  source->start(got.callbacks());
  EXPECT_TRUE(got.wait([&] { return got.reports >= 10; }));
  EXPECT_EQ(source->status().state, SourceState::running);
  const auto begin = std::chrono::steady_clock::now();
  source->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds{2});
  EXPECT_EQ(source->status().state, SourceState::stopped);
}

TEST(HciSource, AnAdapterThatComesBackIsHeardAgain) {
  auto controller = std::make_unique<PtyController>();
  std::mutex path_mutex;
  std::string path = controller->path();
  Watched got;
  auto source = make_hci_source(
      quick(),
      [&] {
        const std::lock_guard lock(path_mutex);
        return open_h4_line(path, 0, false);
      },
      steady_now);
  source->start(got.callbacks());
  ASSERT_TRUE(got.wait([&] { return got.reports >= 5; }));
  controller.reset();  // unplugged
  ASSERT_TRUE(got.wait(
      [&] { return !got.states.empty() && got.states.back() == SourceState::recovering; }));
  controller = std::make_unique<PtyController>();
  {
    const std::lock_guard lock(path_mutex);
    path = controller->path();
  }
  std::size_t before = 0;
  {
    const std::lock_guard lock(got.mutex);
    before = got.reports;
  }
  EXPECT_TRUE(got.wait([&] { return got.reports > before + 5; }));
  source->stop();
}

TEST(HciSource, AControllerThatFallsSilentIsReportedAndRecovered) {
  PtyController controller;
  Watched got;
  auto config = quick();
  config.host.shortest_stall = milliseconds{300};
  config.host.expected_adverts = 0;
  auto source = make_hci_source(
      config, [&] { return open_h4_line(controller.path(), 0, false); }, steady_now);
  source->start(got.callbacks());
  ASSERT_TRUE(got.wait([&] { return got.reports >= 5; }));
  controller.deaf_mute = true;
  ASSERT_TRUE(got.wait(
      [&] { return !got.states.empty() && got.states.back() == SourceState::recovering; }));
  controller.deaf_mute = false;
  EXPECT_TRUE(got.wait([&] { return got.states.back() == SourceState::running; }));
  EXPECT_GT(source->status().restarts, 0U);
  source->stop();
}

TEST(HciSource, ALineThatLosesBytesCostsThoseEventsAlone) {
  PtyController controller;
  controller.lose_a_byte = true;  // of the first answer
  Watched got;
  HciSourceConfig config;
  auto source = make_hci_source(
      config, [&] { return open_h4_line(controller.path(), 0, false); }, steady_now);
  const auto begin = std::chrono::steady_clock::now();
  source->start(got.callbacks());
  ASSERT_TRUE(got.wait([&] { return got.reports >= 5; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds{2});
  controller.mumbles = true;
  ASSERT_TRUE(got.wait([&] { return got.reports >= 300; }));
  const SourceStatus status = source->status();
  EXPECT_EQ(status.restarts, 0U);
  EXPECT_GE(status.line_losses, 10U);
  EXPECT_EQ(status.state, SourceState::running);
  source->stop();
  EXPECT_EQ(controller.resets, 2) << "the first one, asked for again";
}

TEST(HciSource, ATransportThatCannotBeOpenedIsTriedAgainUntilStopped) {
  std::atomic<int> tries{0};
  Watched got;
  auto source = make_hci_source(
      quick(),
      [&]() -> Result<std::unique_ptr<HciTransport>> {
        ++tries;
        return fail(ErrorCode::unavailable, "no adapter");
      },
      steady_now);
  source->start(got.callbacks());
  while (tries < 3) std::this_thread::yield();
  source->stop();
  EXPECT_EQ(source->status().state, SourceState::stopped);
}

}  // namespace
}  // namespace welcome::beacon
