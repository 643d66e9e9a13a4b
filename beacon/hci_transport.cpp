#include "beacon/hci_transport.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace welcome::beacon {
namespace {

// From the kernel's include/net/bluetooth; libbluetooth is not needed for three numbers.
constexpr int kBtProtoHci = 1;
constexpr unsigned long kHciDevDown = _IOW('H', 202, int);
constexpr unsigned short kHciChannelUser = 1;
// The kernel drops what does not fit, in silence. The default holds about 200 packets, a tenth of a
// second of a busy air.
constexpr int kReceiveBuffer = 2 * 1024 * 1024;
struct SockaddrHci {
  sa_family_t family;
  unsigned short device;
  unsigned short channel;
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
  Result<void> receive(std::vector<std::vector<std::uint8_t>>& packets) override {
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
  Result<void> receive(std::vector<std::vector<std::uint8_t>>& packets) override {
    std::array<std::uint8_t, 4096> buffer;
    for (int i = 0; i < 16; ++i) {
      const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
      if (n == 0) return fail(ErrorCode::unavailable, "the controller's line was closed");
      if (n < 0) return fail_errno("the controller's line is gone");
      framer_.feed({buffer.data(), static_cast<std::size_t>(n)}, packets);
    }
    return {};
  }

 private:
  Fd fd_;
  const Channel channel_;
  H4Framer framer_;
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

}  // namespace

void H4Framer::feed(std::span<const std::uint8_t> bytes,
                    std::vector<std::vector<std::uint8_t>>& packets) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  std::size_t at = 0;
  while (at < buffer_.size()) {
    const std::size_t left = buffer_.size() - at;
    const std::uint8_t* p = buffer_.data() + at;
    std::size_t header = 0;
    std::size_t length = 0;
    switch (p[0]) {
      case 0x01:  // command
        header = 4;
        if (left >= header) length = p[3];
        break;
      case 0x04:  // event
        header = 3;
        if (left >= header) length = p[2];
        break;
      default:
        ++skipped_;
        ++at;
        continue;
    }
    if (left < header || left < header + length) break;
    packets.emplace_back(p, p + header + length);
    at += header + length;
  }
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at));
}

Result<std::unique_ptr<HciTransport>> open_user_channel(std::uint16_t adapter) {
  Fd fd(::socket(AF_BLUETOOTH, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, kBtProtoHci));
  if (fd.get() < 0) return fail_errno("no Bluetooth sockets here");
  const std::string name = "hci" + std::to_string(adapter);
  // bind() answers EBUSY while the interface is up.
  if (::ioctl(fd.get(), kHciDevDown, adapter) < 0 && errno != EALREADY) {
    return errno == ENODEV ? fail(ErrorCode::unavailable, "there is no adapter " + name)
                           : fail_errno("cannot take " + name + " down");
  }
  SockaddrHci address{AF_BLUETOOTH, adapter, kHciChannelUser};
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
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
