// SPDX-License-Identifier: Apache-2.0
#include "beacon/hci_source.h"

#include <array>
#include <optional>
#include <poll.h>
#include <utility>

#include "beacon/live_source.h"

namespace welcome::beacon {
namespace {

constexpr int kTickMs = 100;

class HciSource final : public LiveSource {
 public:
  HciSource(HciSourceConfig config, OpenTransport open, std::function<Now()> clock)
      : LiveSource(config.first_pause, config.longest_pause),
        config_(config),
        open_(std::move(open)),
        clock_(std::move(clock)) {}
  ~HciSource() override { stop(); }
  HciSource(const HciSource&) = delete;
  HciSource& operator=(const HciSource&) = delete;

 private:
  Ended serve() override {
    const auto transport = open_();
    if (transport) return serve(**transport);
    set_state(SourceState::recovering, transport.error().message);
    return Ended::early;
  }

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
        memory_);
    host.start(clock_());
    std::uint64_t losses = 0;
    std::vector<std::vector<std::uint8_t>> packets;
    std::vector<AdvertReport> reports;
    while (!gone && host.state() != HciState::failed) {
      std::array<pollfd, 2> fds{pollfd{wake_fd(), POLLIN, 0}, pollfd{transport.fd(), POLLIN, 0}};
      ::poll(fds.data(), fds.size(), kTickMs);
      if ((fds[0].revents & POLLIN) != 0) return Ended::stopped;
      packets.clear();
      reports.clear();
      const Now now = clock_();
      if (auto received = transport.receive(packets, now.mono); !received) {
        gone = true;
        why = received.error().message;
      }
      for (const auto& packet : packets) host.receive(packet, now, reports);
      if (transport.losses() != losses) host.bytes_lost(now);
      losses = transport.losses();
      host.tick(now);
      publish(host, losses, reports.size());
      if (!reports.empty() && callbacks().reports) callbacks().reports(std::exchange(reports, {}));
      if (host.state() == HciState::running && !host.deaf()) {
        if (!running_since) running_since = now.mono;
        if (now.mono - *running_since >= config_.steady_after) ended = Ended::after_steady_running;
        set_state(SourceState::running, host.remark());
      } else if (!host.detail().empty()) {
        set_state(SourceState::recovering, host.remark().empty() ? host.detail() : host.remark());
      }
    }
    update_status([this](SourceStatus& status) {
      ++status.restarts;
      status.advertising = false;
      status.reports_per_second = 0.0;
      status.scan.clear();
      before_ = status;
    });
    memory_ = host.memory();
    set_state(SourceState::recovering, gone ? why : host.detail());
    return ended;
  }

  void publish(const HciHost& host, std::uint64_t losses, std::size_t reports) {
    const HciCounters& counters = host.counters();
    const AdvertIntake& intake = host.intake();
    update_status([&](SourceStatus& status) {
      status.reports += reports;
      status.restarts = before_.restarts + counters.resets - 1;  // the first is no restart
      status.malformed = before_.malformed + intake.events().malformed();
      status.empty = before_.empty + intake.counters().empty;
      status.lost_parts = before_.lost_parts + intake.assembler().abandoned;
      status.line_losses = before_.line_losses + losses;
      status.stalls = before_.stalls + counters.stalls;
      status.command_timeouts = before_.command_timeouts + counters.command_timeouts;
      status.hardware_errors = before_.hardware_errors + counters.hardware_errors;
      status.refused = before_.refused + counters.refused;
      status.reports_per_second = host.heard_per_second();
      status.expected_per_second = host.memory().expected_per_second;
      status.scan = to_string(host.way());
      status.advertising = host.advertising();
    });
  }

  const HciSourceConfig config_;
  const OpenTransport open_;
  const std::function<Now()> clock_;
  SourceStatus before_;  // counts of the hosts before this one
  HciMemory memory_;     // of the host before this one
};

}  // namespace

std::unique_ptr<AdvertSource> make_hci_source(HciSourceConfig config, OpenTransport open,
                                              std::function<Now()> clock) {
  return std::make_unique<HciSource>(config, std::move(open), std::move(clock));
}

}  // namespace welcome::beacon
