#include "beacon/hci_source.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <poll.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace welcome::beacon {
namespace {

constexpr int kTickMs = 100;

class HciSource final : public AdvertSource {
 public:
  HciSource(HciSourceConfig config, OpenTransport open, std::function<Now()> clock)
      : config_(std::move(config)),
        open_(std::move(open)),
        clock_(std::move(clock)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_ < 0) throw std::runtime_error("no eventfd for the radio");
  }
  ~HciSource() override {
    HciSource::stop();
    ::close(wake_);
  }
  HciSource(const HciSource&) = delete;
  HciSource& operator=(const HciSource&) = delete;

  void start(SourceCallbacks callbacks) override {
    stop();
    std::uint64_t drained = 0;
    while (::read(wake_, &drained, sizeof drained) > 0) {
    }
    callbacks_ = std::move(callbacks);
    thread_ = std::thread([this] { run(); });
  }

  void stop() override {
    if (!thread_.joinable()) return;
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_, &one, sizeof one));
    thread_.join();
  }

  SourceStatus status() const override {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  void run() {
    auto pause = config_.first_pause;
    set_state(SourceState::starting, "");
    for (;;) {
      auto transport = open_();
      if (!transport) {
        set_state(SourceState::recovering, transport.error().message);
      } else {
        const Ended ended = serve(**transport);
        if (ended == Ended::stopped) break;
        if (ended == Ended::after_running) pause = config_.first_pause;
      }
      // Closed before the pause: a device that was unplugged goes only when nobody holds it.
      if (transport) transport->reset();
      if (wait(pause)) break;
      pause = std::min(pause * 2, config_.longest_pause);
    }
    set_state(SourceState::stopped, "");
  }

  enum class Ended : std::uint8_t { stopped, before_running, after_running };

  Ended serve(HciTransport& transport) {
    bool gone = false;
    bool ran = false;
    std::string why;
    HciHost host(config_.host, [&](std::span<const std::uint8_t> packet) {
      if (auto sent = transport.send(packet); !sent && !gone) {
        gone = true;
        why = sent.error().message;
      }
    });
    host.start(clock_());
    std::uint64_t resets = 1;
    std::vector<std::vector<std::uint8_t>> packets;
    std::vector<AdvertReport> reports;
    while (!gone && host.state() != HciState::failed) {
      std::array<pollfd, 2> fds{pollfd{wake_, POLLIN, 0}, pollfd{transport.fd(), POLLIN, 0}};
      ::poll(fds.data(), fds.size(), kTickMs);
      if ((fds[0].revents & POLLIN) != 0) return Ended::stopped;
      packets.clear();
      reports.clear();
      if (auto received = transport.receive(packets); !received) {
        gone = true;
        why = received.error().message;
      }
      const Now now = clock_();
      for (const auto& packet : packets) host.receive(packet, now, reports);
      host.tick(now);
      publish(host, reports.size(), host.counters().resets - resets);
      resets = host.counters().resets;
      if (!reports.empty() && callbacks_.reports) callbacks_.reports(std::exchange(reports, {}));
      if (host.state() == HciState::running) {
        ran = true;
        set_state(SourceState::running, "");
      } else if (host.state() == HciState::setting_up && !host.detail().empty()) {
        set_state(SourceState::recovering, host.detail());
      }
    }
    {
      const std::lock_guard lock(mutex_);
      ++status_.restarts;
      malformed_before_ += host.counters().reports.malformed();
    }
    set_state(SourceState::recovering, gone ? why : host.detail());
    return ran ? Ended::after_running : Ended::before_running;
  }

  // True when stop() was called.
  bool wait(std::chrono::milliseconds pause) const {
    pollfd fd{wake_, POLLIN, 0};
    return ::poll(&fd, 1, static_cast<int>(pause.count())) > 0;
  }

  void publish(const HciHost& host, std::size_t reports, std::uint64_t resets) {
    const std::lock_guard lock(mutex_);
    status_.reports += reports;
    status_.restarts += resets;
    status_.malformed = malformed_before_ + host.counters().reports.malformed();
    status_.reports_per_second = host.heard_per_second();
  }

  void set_state(SourceState state, const std::string& detail) {
    SourceStatus copy;
    {
      const std::lock_guard lock(mutex_);
      if (status_.state == state && status_.detail == detail) return;
      status_.state = state;
      status_.detail = detail;
      copy = status_;
    }
    if (callbacks_.state_changed) callbacks_.state_changed(copy);
  }

  const HciSourceConfig config_;
  const OpenTransport open_;
  const std::function<Now()> clock_;
  const int wake_;
  SourceCallbacks callbacks_;
  std::thread thread_;
  std::uint64_t malformed_before_ = 0;  // of hosts before this one

  mutable std::mutex mutex_;
  SourceStatus status_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<AdvertSource> make_hci_source(HciSourceConfig config, OpenTransport open,
                                              std::function<Now()> clock) {
  return std::make_unique<HciSource>(std::move(config), std::move(open), std::move(clock));
}

}  // namespace welcome::beacon
