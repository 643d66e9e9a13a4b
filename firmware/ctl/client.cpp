#include "firmware/ctl/client.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace welcome::ctl {

namespace {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// The next line without its newline; nothing at the end of the stream.
std::optional<std::string> next_line(int fd, std::string& buffer, const Listener& listener) {
  constexpr int kAskToStopEveryMs = 200;
  bool stopped = false;
  for (;;) {
    if (const auto end = buffer.find('\n'); end != std::string::npos) {
      std::string line = buffer.substr(0, end);
      buffer.erase(0, end + 1);
      return line;
    }
    if (!stopped && listener.stop()) {
      stopped = true;
      ::shutdown(fd, SHUT_WR);
    }
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, kAskToStopEveryMs) <= 0) continue;
    char chunk[16 * 1024];
    const ssize_t got = ::recv(fd, chunk, sizeof chunk, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    buffer.append(chunk, static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<nlohmann::json> ask(const std::filesystem::path& path, const control::Request& request,
                           const Listener& listener) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = path.string();
  if (name.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::malformed, name + ": too long for a socket's name");
  }
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);

  const Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0 ||
      ::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int why = errno;
    return fail(ErrorCode::unavailable,
                name + ": " + std::strerror(why) +
                    (why == EACCES ? "; join the group welcomed or use sudo"
                                   : "; is welcomed running? (systemctl status welcomed)"));
  }
  if (!send_all(socket.fd(), control::encode(request))) {
    return fail(ErrorCode::unavailable, "welcomed closed the connection");
  }
  std::string buffer;
  while (const auto line = next_line(socket.fd(), buffer, listener)) {
    auto reply = control::parse_reply(*line);
    if (!reply) return tl::unexpected(reply.error());
    switch (reply->kind) {
      case control::Reply::Kind::progress:
        listener.progress(reply->text);
        break;
      case control::Reply::Kind::part:
        listener.part(reply->data);
        break;
      case control::Reply::Kind::data:
        return std::move(reply->data);
      case control::Reply::Kind::error:
        return fail(ErrorCode::refused, reply->text);
    }
  }
  return fail(ErrorCode::unavailable, "welcomed ended before it answered");
}

}  // namespace welcome::ctl
