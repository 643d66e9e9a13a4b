// SPDX-License-Identifier: Apache-2.0
#include "beacon/hci_transport.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

#include "beacon/h4_framer.h"

namespace welcome::beacon {
namespace {

// From the kernel's include/net/bluetooth; libbluetooth is not needed for three numbers.
constexpr int kBtProtoHci = 1;
constexpr unsigned long kHciDevDown = _IOW('H', 202, int);
constexpr unsigned long kHciGetDeviceList = _IOR('H', 210, int);
constexpr unsigned long kHciGetDeviceInfo = _IOR('H', 211, int);
constexpr unsigned short kHciChannelUser = 1;
constexpr std::uint16_t kMostAdapters = 16;  // HCI_MAX_DEV
// The kernel drops what does not fit, in silence. The default holds about 200 packets, a tenth of a
// second of a busy air.
constexpr int kReceiveBuffer = 2 * 1024 * 1024;
// A packet that has not come to its end after such a pause has lost some of it: the slowest line
// needs 22 ms for the longest event.
constexpr std::chrono::milliseconds kIdleLine{150};
struct SockaddrHci {
  sa_family_t family;
  unsigned short device;
  unsigned short channel;
};

struct HciDeviceEntry {
  std::uint16_t number;
  std::uint32_t options;
};
struct HciDeviceList {
  std::uint16_t count;
  HciDeviceEntry devices[kMostAdapters];
};
struct HciDeviceInfo {
  std::uint16_t number;
  char name[8];
  std::uint8_t address[6];  // least significant byte first
  std::uint8_t rest[128];   // flags, features, sizes, counters: 72 bytes
};

tl::unexpected<Error> fail_errno(const std::string& what) {
  return fail(ErrorCode::unavailable, what + ": " + std::strerror(errno));
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

enum class Channel : std::uint8_t { socket, line };

Result<void> write_all(int fd, Channel channel, std::span<const std::uint8_t> bytes) {
  // A command has at most 259 bytes: a line that cannot take it is as good as gone.
  while (!bytes.empty()) {
    const ssize_t n = channel == Channel::socket
                          ? ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL)
                          : ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail_errno("cannot write to the controller");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

// One read is one packet.
class UserChannel final : public HciTransport {
 public:
  explicit UserChannel(Fd fd) : fd_(std::move(fd)) {}
  int fd() const override { return fd_.get(); }
  Result<void> send(std::span<const std::uint8_t> packet) override {
    return write_all(fd_.get(), Channel::socket, packet);
  }
  Result<void> receive(std::vector<std::vector<std::uint8_t>>& packets, MonoTime) override {
    std::array<std::uint8_t, 2048> buffer;
    for (int i = 0; i < 64; ++i) {
      const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
      if (n <= 0) return fail_errno("the adapter is gone");
      packets.emplace_back(buffer.begin(), buffer.begin() + n);
    }
    return {};
  }

 private:
  Fd fd_;
};

class H4Stream final : public HciTransport {
 public:
  H4Stream(Fd fd, Channel channel) : fd_(std::move(fd)), channel_(channel) {}
  int fd() const override { return fd_.get(); }
  Result<void> send(std::span<const std::uint8_t> packet) override {
    return write_all(fd_.get(), channel_, packet);
  }
  Result<void> receive(std::vector<std::vector<std::uint8_t>>& packets, MonoTime now) override {
    std::array<std::uint8_t, 4096> buffer;
    for (int i = 0; i < 16; ++i) {
      const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        if (last_byte_ && now - *last_byte_ > kIdleLine) framer_.idle(packets);
        return {};
      }
      if (n == 0) return fail(ErrorCode::unavailable, "the controller's line was closed");
      if (n < 0) return fail_errno("the controller's line is gone");
      last_byte_ = now;
      framer_.feed({buffer.data(), static_cast<std::size_t>(n)}, packets);
    }
    return {};
  }
  std::uint64_t losses() const override { return framer_.losses(); }

 private:
  Fd fd_;
  const Channel channel_;
  H4Framer framer_;
  std::optional<MonoTime> last_byte_;
};

speed_t speed_of(unsigned baud) {
  switch (baud) {
    case 115200:
      return B115200;
    case 460800:
      return B460800;
    case 921600:
      return B921600;
    case 1000000:
      return B1000000;
    case 2000000:
      return B2000000;
    case 3000000:
      return B3000000;
    default:
      return B0;
  }
}

int hci_socket() {
  return ::socket(AF_BLUETOOTH, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kBtProtoHci);
}

tl::unexpected<Error> no_adapter(const std::string& name) {
  const auto there = linux_adapters();
  return fail(ErrorCode::unavailable, "there is no adapter " + name + "; there is " +
                                          describe(there.value_or(std::vector<LinuxAdapter>{})));
}

Result<std::uint16_t> number_of(const AdapterName& name) {
  if (const auto* number = std::get_if<std::uint16_t>(&name)) return *number;
  const Address& address = std::get<Address>(name);
  const auto adapters = linux_adapters();
  if (!adapters) return tl::make_unexpected(adapters.error());
  const auto found = std::ranges::find(*adapters, address, &LinuxAdapter::address);
  if (found == adapters->end()) return no_adapter(to_text(address));
  return found->number;
}

}  // namespace

Result<std::vector<LinuxAdapter>> linux_adapters() {
  Fd fd(hci_socket());
  if (fd.get() < 0) return fail_errno("no Bluetooth sockets here");
  HciDeviceList list{};
  list.count = kMostAdapters;
  if (::ioctl(fd.get(), kHciGetDeviceList, &list) < 0) return fail_errno("cannot list adapters");
  std::vector<LinuxAdapter> adapters;
  for (std::uint16_t i = 0; i < list.count && i < kMostAdapters; ++i) {
    HciDeviceInfo info{};
    info.number = list.devices[i].number;
    // One that has gone meanwhile.
    if (::ioctl(fd.get(), kHciGetDeviceInfo, &info) < 0) continue;
    LinuxAdapter adapter{info.number, {}};
    std::reverse_copy(std::begin(info.address), std::end(info.address), adapter.address.begin());
    adapters.push_back(adapter);
  }
  return adapters;
}

std::string describe(const std::vector<LinuxAdapter>& adapters) {
  std::string text;
  for (const LinuxAdapter& adapter : adapters) {
    text += (text.empty() ? "hci" : ", hci") + std::to_string(adapter.number) + " (" +
            to_text(adapter.address) + ")";
  }
  return text.empty() ? "none" : text;
}

Result<std::unique_ptr<HciTransport>> open_user_channel(const AdapterName& wanted) {
  Fd fd(hci_socket());
  if (fd.get() < 0) return fail_errno("no Bluetooth sockets here");
  const auto number = number_of(wanted);
  if (!number) return tl::make_unexpected(number.error());
  const std::uint16_t adapter = *number;
  const std::string name = "hci" + std::to_string(adapter);
  // bind() answers EBUSY while the interface is up.
  if (::ioctl(fd.get(), kHciDevDown, adapter) < 0 && errno != EALREADY) {
    return errno == ENODEV ? no_adapter(name) : fail_errno("cannot take " + name + " down");
  }
  SockaddrHci address{AF_BLUETOOTH, adapter, kHciChannelUser};
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    if (errno == ERFKILL) {
      return fail(ErrorCode::unavailable,
                  name + " is switched off (rfkill): `rfkill unblock bluetooth` switches it on");
    }
    return fail_errno("cannot take " + name + " (is bluetoothd using it?)");
  }
  // Forced above the system's limit where the capability is there; the smaller one works too.
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) <
      0) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  }
  return std::make_unique<UserChannel>(std::move(fd));
}

Result<std::unique_ptr<HciTransport>> open_h4_line(const std::filesystem::path& device,
                                                   unsigned baud, bool flow_control) {
  Fd fd(::open(device.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return fail_errno("cannot open " + device.string());
  termios line{};
  if (::tcgetattr(fd.get(), &line) == 0) {
    ::cfmakeraw(&line);
    line.c_cflag |= CLOCAL | CREAD;
    if (flow_control) line.c_cflag |= CRTSCTS;
    if (baud != 0) {
      if (speed_of(baud) == B0) return fail(ErrorCode::refused, "no such line speed");
      ::cfsetspeed(&line, speed_of(baud));
    }
    if (::tcsetattr(fd.get(), TCSANOW, &line) != 0) return fail_errno("cannot set up the line");
    ::tcflush(fd.get(), TCIOFLUSH);
  }
  return std::make_unique<H4Stream>(std::move(fd), Channel::line);
}

Result<std::unique_ptr<HciTransport>> open_h4_socket(const std::filesystem::path& socket) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return fail_errno("cannot make a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = socket.string();
  if (text.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::refused, "the socket's path is too long");
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return fail_errno("cannot connect to " + text);
  }
  return std::make_unique<H4Stream>(std::move(fd), Channel::socket);
}

}  // namespace welcome::beacon
