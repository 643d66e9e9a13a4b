#include "beacon/hci_source.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
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
        if (ended == Ended::after_steady_running) pause = config_.first_pause;
      }
      // Closed before the pause: a device that was unplugged goes only when nobody holds it.
      if (transport) transport->reset();
      if (wait(pause)) break;
      pause = std::min(pause * 2, config_.longest_pause);
    }
    set_state(SourceState::stopped, "");
  }

  enum class Ended : std::uint8_t { stopped, early, after_steady_running };

  Ended serve(HciTransport& transport) {
    bool gone = false;
    std::optional<MonoTime> running_since;
    Ended ended = Ended::early;
    std::string why;
    HciHost host(
        config_.host,
        [&](std::span<const std::uint8_t> packet) {
          if (auto sent = transport.send(packet); !sent && !gone) {
            gone = true;
            why = sent.error().message;
          }
        },
        expected_);
    host.start(clock_());
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
      publish(host, reports.size());
      if (!reports.empty() && callbacks_.reports) callbacks_.reports(std::exchange(reports, {}));
      if (host.state() == HciState::running && !host.deaf()) {
        if (!running_since) running_since = now.mono;
        if (now.mono - *running_since >= config_.steady_after) ended = Ended::after_steady_running;
        set_state(SourceState::running, "");
      } else if (!host.detail().empty()) {
        set_state(SourceState::recovering, host.detail());
      }
    }
    {
      const std::lock_guard lock(mutex_);
      ++status_.restarts;
      status_.advertising = false;
      status_.reports_per_second = 0.0;
      before_ = status_;
    }
    expected_ = host.expected_per_second();
    set_state(SourceState::recovering, gone ? why : host.detail());
    return ended;
  }

  // True when stop() was called.
  bool wait(std::chrono::milliseconds pause) const {
    pollfd fd{wake_, POLLIN, 0};
    return ::poll(&fd, 1, static_cast<int>(pause.count())) > 0;
  }

  void publish(const HciHost& host, std::size_t reports) {
    const HciCounters& counters = host.counters();
    const std::lock_guard lock(mutex_);
    status_.reports += reports;
    status_.restarts = before_.restarts + counters.resets - 1;  // the first is no restart
    status_.malformed = before_.malformed + counters.reports.malformed();
    status_.stalls = before_.stalls + counters.stalls;
    status_.command_timeouts = before_.command_timeouts + counters.command_timeouts;
    status_.hardware_errors = before_.hardware_errors + counters.hardware_errors;
    status_.refused = before_.refused + counters.refused;
    status_.reports_per_second = host.heard_per_second();
    status_.expected_per_second = host.expected_per_second();
    status_.advertising = host.advertising();
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
  SourceStatus before_;    // counts of the hosts before this one
  double expected_ = 0.0;  // what the host before this one expected

  mutable std::mutex mutex_;
  SourceStatus status_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<AdvertSource> make_hci_source(HciSourceConfig config, OpenTransport open,
                                              std::function<Now()> clock) {
  return std::make_unique<HciSource>(std::move(config), std::move(open), std::move(clock));
}

}  // namespace welcome::beacon
