// SPDX-License-Identifier: Apache-2.0
// A Bluetooth controller for a machine that has none: the emulator of the unit tests behind the
// kernel's /dev/vhci, so that everything above it is the real thing. It goes silent, stumbles and
// is unplugged when told, and says exactly what it has sent.
//
//   vm-controller serve SOCKET              plays, unplugged at first, until SIGTERM
//   vm-controller tell SOCKET WORD [NUMBER] one of the words in do_word(); answers with one JSON
//   line
//
// One thread.

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "beacon/hci_events.h"
#include "beacon/key_schedule.h"
#include "tests/unit/beacon/controller_emulator.h"

namespace welcome::beacon {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kTickMs = 5;

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// What is on the air: strangers at walking distance, and one report in twenty from a customer of
// the demo: Mia's fob, or, while his phone is here, Paul.
class Air {
 public:
  bool paul = false;

  std::vector<std::uint8_t> next(bool extended) {
    AdvertReport report;
    report.extended = extended;
    report.event_type = extended ? 0x10 : 0x03;  // legacy advert, not connectable
    report.address_type = AddressType::random_device;
    report.rssi_dbm = static_cast<std::int8_t>(-50 - static_cast<int>(random() % 45));
    if (++number_ % 20 == 0 && paul) {
      // As in demo/members.json.
      static constexpr Block kKey{0x5B, 0x1E, 0x0F, 0x7A, 0x9C, 0x3D, 0x48, 0x26,
                                  0x4E, 0x80, 0xB1, 0xD2, 0xF3, 0x65, 0x7A, 0x91};
      static constexpr auto kClockZero = std::chrono::sys_days{std::chrono::January / 1 / 2020};
      const auto clock =
          std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now() - kClockZero);
      const Eid eid = eddystone_eid(kKey, 7, static_cast<std::uint32_t>(clock.count()));
      std::array<std::uint8_t, 21> ad{0x02, 0x01, 0x06, 0x03, 0x03, 0xAA, 0xFE,
                                      0x0D, 0x16, 0xAA, 0xFE, 0x30, 0xEE};
      std::copy(eid.begin(), eid.end(), ad.begin() + 13);
      report.address = {0x6B, 0, 0, 0, 0, 0x0D};
      report.rssi_dbm = -50;
      report.ad = AdBytes(ad);
    } else if (number_ % 20 == 0) {
      static constexpr std::array<std::uint8_t, 30> kFob{
          0x02, 0x01, 0x06, 0x1A, 0xFF, 0x4C, 0x00, 0x02, 0x15, 0x7D, 0x1C, 0x6F, 0x52, 0x40, 0xB3,
          0x4A, 0x0E, 0x9C, 0x55, 0x0D, 0x2F, 0x8A, 0x7E, 0x1B, 0x36, 0x00, 0x0C, 0x0B, 0xFF, 0xC5};
      report.address = {0xC3, 0, 0, 0, 0, 0x0C};
      report.rssi_dbm = -60;
      report.ad = AdBytes(kFob);
    } else {
      const std::uint32_t who = random() % 300;  // in a busy room
      report.address = {0x5A,
                        0x11,
                        0x22,
                        0x33,
                        static_cast<std::uint8_t>(who >> 8U),
                        static_cast<std::uint8_t>(who & 0xFFU)};
      std::array<std::uint8_t, 17> ad{0x02, 0x01, 0x1A, 0x0D, 0xFF, 0x4C, 0x00, 0x10, 0x08};
      ad[9] = static_cast<std::uint8_t>(random() & 0xFFU);
      report.ad = AdBytes(ad);
    }
    return make_advertising_event(report);
  }

 private:
  std::uint32_t random() {
    state_ = state_ * 1664525U + 1013904223U;
    return state_ >> 8U;
  }
  std::uint32_t state_ = 1;
  std::uint64_t number_ = 0;
};

class Player {
 public:
  explicit Player(Fd listener) : listener_(std::move(listener)) {}

  void run(const volatile std::sig_atomic_t& ended) {
    while (ended == 0) {
      std::array<pollfd, 2> fds{pollfd{listener_.get(), POLLIN, 0}, pollfd{vhci_.get(), POLLIN, 0}};
      ::poll(fds.data(), vhci_.open() ? 2 : 1, rate_ > 0 && controller_.scanning ? kTickMs : 1000);
      if (fds[0].revents != 0) serve_word();
      if (vhci_.open()) {
        take();
        play();
        flush();
      }
    }
  }

 private:
  // -- the cable

  void plug() {
    if (vhci_.open()) return;
    controller_ = testing::ControllerEmulator{};
    controller_.extended = extended_;
    Fd vhci(::open("/dev/vhci", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    constexpr std::array<std::uint8_t, 2> kPrimary{0xFF, 0x00};
    if (!vhci.open() || ::write(vhci.get(), kPrimary.data(), kPrimary.size()) != 2) {
      trouble_ = std::string("/dev/vhci: ") + std::strerror(errno);
      return;
    }
    vhci_ = std::move(vhci);
    begin_waiting();
  }

  void take() {
    std::array<std::uint8_t, 2048> buffer;
    for (;;) {
      const ssize_t n = ::read(vhci_.get(), buffer.data(), buffer.size());
      if (n <= 0) return;
      if (buffer[0] == 0xFF) {  // the kernel's answer to plug()
        adapter_ = n >= 4 ? buffer[2] | (buffer[3] << 8U) : -1;
        continue;
      }
      const bool scanned = controller_.scanning;
      controller_.take({buffer.data(), static_cast<std::size_t>(n)});
      if (controller_.scanning && !scanned) {
        if (waiting_since_) scan_again_ms_ = since(*waiting_since_);
        waiting_since_.reset();
        begin_pace();
      }
    }
  }

  void flush() {
    while (!controller_.to_host.empty()) {
      const auto& packet = controller_.to_host.front();
      if (::write(vhci_.get(), packet.data(), packet.size()) < 0) trouble_ = std::strerror(errno);
      controller_.to_host.pop_front();
    }
  }

  // -- the air

  void begin_pace() {
    pace_since_ = Clock::now();
    paced_ = 0;
  }

  void play() {
    if (!controller_.scanning || controller_.silent || rate_ == 0) return;
    const auto due = static_cast<std::uint64_t>(since(pace_since_)) * rate_ / 1000;
    for (; paced_ < due; ++paced_) {
      if (left_ && *left_ == 0) {
        rate_ = 0;
        left_.reset();
        return;
      }
      if (left_) --*left_;
      controller_.hear(air_.next(controller_.scans_extended));
      ++sent_;
    }
  }

  // -- being told

  void serve_word() {
    const Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.open()) return;
    std::array<char, 64> buffer;
    const ssize_t n = ::read(client.get(), buffer.data(), buffer.size());
    std::istringstream words(std::string(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0U));
    std::string word;
    std::uint64_t number = 0;
    words >> word >> number;
    trouble_.clear();
    if (!do_word(word, number)) trouble_ = "no such word: " + word;
    const std::string answer = status();
    static_cast<void>(::write(client.get(), answer.data(), answer.size()));
  }

  bool do_word(const std::string& word, std::uint64_t number) {
    if (word == "plug") {
      plug();
    } else if (word == "unplug") {
      vhci_ = Fd();
      controller_.scanning = controller_.advertising = false;
    } else if (word == "rate") {  // adverts a second
      rate_ = number;
      begin_pace();
    } else if (word == "count") {  // so many more, and then the rate is 0
      left_ = number;
    } else if (word == "silent") {  // answers nothing and hears nothing
      controller_.silent = true;
      controller_.scanning = false;
    } else if (word == "answer") {
      controller_.silent = false;
      begin_waiting();
    } else if (word == "error") {  // HCI hardware error; it forgets what it was told
      controller_.scanning = controller_.advertising = false;
      controller_.hardware_error();
      begin_waiting();
    } else if (word == "deaf") {  // answers, and hears nothing until it is reset
      controller_.scanning = false;
      begin_waiting();
    } else if (word == "phone") {  // Paul's is on the air
      air_.paul = number != 0;
    } else if (word == "legacy") {  // Bluetooth 4; from the next plug on
      extended_ = false;
    } else if (word == "extended") {
      extended_ = true;
    } else {
      return word == "status";
    }
    return true;
  }

  void begin_waiting() {
    waiting_since_ = Clock::now();
    scan_again_ms_.reset();
  }

  std::string status() const {
    std::set<std::vector<std::uint8_t>> adverts(controller_.advert_history.begin(),
                                                controller_.advert_history.end());
    std::ostringstream out;
    out << std::boolalpha << "{\"trouble\":\"" << trouble_ << "\",\"plugged\":" << vhci_.open()
        << ",\"adapter\":" << adapter_ << ",\"scanning\":" << controller_.scanning
        << ",\"passive\":" << (controller_.scan_type == 0)
        << ",\"extended\":" << controller_.scans_extended
        << ",\"filters_duplicates\":" << controller_.filters_duplicates
        << ",\"advertising\":" << controller_.advertising << ",\"adverts\":" << adverts.size()
        << ",\"resets\":" << controller_.resets << ",\"sent\":" << sent_ << ",\"rate\":" << rate_
        << ",\"scan_again_ms\":";
    if (scan_again_ms_) {
      out << *scan_again_ms_;
    } else {
      out << "null";
    }
    out << "}\n";
    return out.str();
  }

  static std::int64_t since(Clock::time_point then) {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - then).count();
  }

  Fd listener_;
  Fd vhci_;
  testing::ControllerEmulator controller_;
  bool extended_ = true;
  Air air_;
  int adapter_ = -1;
  std::string trouble_;
  std::uint64_t rate_ = 0;
  std::optional<std::uint64_t> left_;
  std::uint64_t sent_ = 0;
  Clock::time_point pace_since_;
  std::uint64_t paced_ = 0;  // since then
  std::optional<Clock::time_point> waiting_since_;
  std::optional<std::int64_t> scan_again_ms_;
};

std::optional<sockaddr_un> address_of(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

volatile std::sig_atomic_t ended = 0;

int serve(const std::string& path) {
  const auto address = address_of(path);
  ::unlink(path.c_str());
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!address || !listener.open() ||
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) < 0 ||
      ::listen(listener.get(), 4) < 0) {
    std::perror(path.c_str());
    return 1;
  }
  struct sigaction action {};
  action.sa_handler = [](int) { ended = 1; };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  Player(std::move(listener)).run(ended);
  return 0;
}

int tell(const std::string& path, const std::string& words) {
  const auto address = address_of(path);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!address || !socket.open() ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) < 0 ||
      ::write(socket.get(), words.data(), words.size()) < 0) {
    std::perror(path.c_str());
    return 1;
  }
  std::array<char, 1024> answer;
  ssize_t n = 0;
  while ((n = ::read(socket.get(), answer.data(), answer.size())) > 0) {
    std::fwrite(answer.data(), 1, static_cast<std::size_t>(n), stdout);
  }
  return 0;
}

}  // namespace
}  // namespace welcome::beacon

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() == 2 && args[0] == "serve") return welcome::beacon::serve(args[1]);
  if ((args.size() == 3 || args.size() == 4) && args[0] == "tell") {
    return welcome::beacon::tell(args[1], args.size() == 4 ? args[2] + " " + args[3] : args[2]);
  }
  std::fputs("usage: vm-controller serve SOCKET | tell SOCKET WORD [NUMBER]\n", stderr);
  return 2;
}
