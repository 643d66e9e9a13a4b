// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/time_sync.h"

#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// timesyncd asks its server every 34 minutes (PollIntervalMaxSec), chronyd every 17: some answers
// may be lost.
constexpr auto kFresh = 2h;

// A moment of the machine's clock. One that is still to come was written before somebody set the
// clock back.
bool fresh(WallTime at, WallTime wall) { return at <= wall + 1s && wall - at <= kFresh; }

// ---- chronyd's command protocol, version 6 (candm.h in chrony 3 and 4), big-endian
constexpr std::size_t kTrackingBytes = 104;  // of the answer; a request is as long, padded
constexpr std::uint8_t kVersion = 6;
constexpr std::uint8_t kRequest = 1;
constexpr std::uint8_t kReply = 2;
constexpr std::uint16_t kAskTracking = 33;
constexpr std::uint16_t kTracking = 5;
constexpr std::uint16_t kNotSynchronised = 3;          // leap status
constexpr std::uint32_t kLocalReference = 0x7F7F0101;  // its own clock, by `local` in its settings
using Packet = std::array<std::uint8_t, kTrackingBytes>;

template <std::size_t Bytes>
std::uint64_t number(const Packet& packet, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < Bytes; ++i) value = value << 8U | packet[at + i];
  return value;
}

// When chronyd last set the clock right, in ms since 1970.
std::optional<std::int64_t> synchronised_at(const Packet& reply) {
  const bool tracking = reply[0] == kVersion && reply[1] == kReply &&
                        number<2>(reply, 4) == kAskTracking && number<2>(reply, 6) == kTracking &&
                        number<2>(reply, 8) == 0;
  if (!tracking || number<4>(reply, 28) == kLocalReference || number<4>(reply, 28) == 0 ||
      number<2>(reply, 54) == kNotSynchronised) {
    return std::nullopt;
  }
  const auto seconds =
      static_cast<std::int64_t>(number<4>(reply, 56) << 32U | number<4>(reply, 60));
  return seconds * 1000 + static_cast<std::int64_t>(number<4>(reply, 64) / 1'000'000);
}

}  // namespace

// One question on its way at a time; its answer is read when the next one is asked.
class ChronyProbe {
 public:
  explicit ChronyProbe(std::uint16_t port) {
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Connected: nobody else's datagram is read.
    if (socket_ >= 0 &&
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(socket_);
      socket_ = -1;
    }
  }
  ~ChronyProbe() {
    if (socket_ >= 0) ::close(socket_);
  }
  ChronyProbe(const ChronyProbe&) = delete;
  ChronyProbe& operator=(const ChronyProbe&) = delete;

  // Nothing: chronyd does not run, or is not synchronised.
  std::optional<std::int64_t> last() {
    if (socket_ < 0) return std::nullopt;
    bool answered = false;
    Packet packet{};
    while (::recv(socket_, packet.data(), packet.size(), 0) == ssize_t{kTrackingBytes}) {
      if (number<4>(packet, 16) != sequence_) continue;
      at_ = synchronised_at(packet);
      answered = true;
    }
    if (!answered && ++unanswered_ > kPatience) at_.reset();
    if (answered) unanswered_ = 0;
    ask();
    return at_;
  }

 private:
  static constexpr int kPatience = 5;

  void ask() {
    Packet request{kVersion, kRequest};
    request[5] = kAskTracking;
    ++sequence_;
    for (std::size_t i = 0; i < 4; ++i) {
      request[8 + i] = static_cast<std::uint8_t>(sequence_ >> (24 - 8 * i));
    }
    // Where nobody listens the next call has an error to read, and goes on.
    (void)::send(socket_, request.data(), request.size(), MSG_NOSIGNAL);
  }

  int socket_ = -1;
  std::uint32_t sequence_ = 0;
  int unanswered_ = 0;
  std::optional<std::int64_t> at_;
};

TimeSync::TimeSync(std::filesystem::path timesyncd, std::uint16_t chrony_port)
    : timesyncd_(std::move(timesyncd)), chrony_(std::make_shared<ChronyProbe>(chrony_port)) {}

std::optional<std::int64_t> TimeSync::operator()(WallTime wall) {
  struct stat file {};
  if (::stat(timesyncd_.c_str(), &file) == 0) {
    const std::int64_t ms = file.st_mtim.tv_sec * 1000 + file.st_mtim.tv_nsec / 1'000'000;
    if (fresh(WallTime(milliseconds(ms)), wall)) return ms;
  }
  const auto ms = chrony_->last();
  if (ms && fresh(WallTime(milliseconds(*ms)), wall)) return ms;
  return std::nullopt;
}

}  // namespace welcome::daemon
