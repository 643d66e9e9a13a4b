// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/client.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "firmware/control/commands.h"

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

// The file travels beside the first byte.
bool send_request(int fd, std::string_view bytes, const control::OpenFile& file) {
  if (file == nullptr) return send_all(fd, bytes);
  const int handed = *file;
  iovec part{const_cast<char*>(bytes.data()), 1};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof handed)> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof handed);
  std::memcpy(CMSG_DATA(header), &handed, sizeof handed);
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == 1 && send_all(fd, bytes.substr(1));
}

Error hung(std::chrono::milliseconds silence) {
  return {ErrorCode::unavailable,
          "welcomed has not answered for " +
              std::to_string(std::chrono::ceil<std::chrono::seconds>(silence).count()) +
              " s: it hangs, or is busy. systemd starts a daemon that hangs again within 30 s; "
              "journalctl -u welcomed -e"};
}

// The next line without its newline; nothing at the end of the stream. Errors: unavailable, when
// nothing comes for `silence`.
Result<std::optional<std::string>> next_line(int fd, std::string& buffer, const Listener& listener,
                                             std::chrono::milliseconds silence) {
  constexpr std::chrono::milliseconds kAskToStopEvery{200};
  bool stopped = false;
  auto silent = std::chrono::milliseconds::zero();
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
    const int polled = ::poll(&ready, 1, static_cast<int>(kAskToStopEvery.count()));
    if (polled < 0) continue;  // a signal
    if (polled == 0) {
      silent += kAskToStopEvery;
      if (silent >= silence) return tl::unexpected(hung(silence));
      continue;
    }
    silent = {};
    char chunk[16 * 1024];
    const ssize_t got = ::recv(fd, chunk, sizeof chunk, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    buffer.append(chunk, static_cast<std::size_t>(got));
  }
}

// A daemon that hangs takes no connection and no bytes once its queues are full.
void limit_waiting(int fd, std::chrono::milliseconds silence) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(silence).count();
  const timeval limit{seconds, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
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
  const auto* command = control::find_command(request.command);
  const auto silence =
      listener.silence.value_or(command != nullptr ? command->silence : std::chrono::seconds(10));

  const Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  limit_waiting(socket.fd(), silence);
  if (socket.fd() < 0 ||
      ::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int why = errno;
    if (why == EAGAIN || why == EWOULDBLOCK) return tl::unexpected(hung(silence));
    return fail(ErrorCode::unavailable,
                name + ": " + std::strerror(why) +
                    (why == EACCES ? "; join the group welcomed or use sudo"
                                   : "; is welcomed running? (systemctl status welcomed)"));
  }
  if (!send_request(socket.fd(), control::encode(request), request.file)) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return tl::unexpected(hung(silence));
    return fail(ErrorCode::unavailable, "welcomed closed the connection");
  }
  std::string buffer;
  for (;;) {
    const auto line = next_line(socket.fd(), buffer, listener, silence);
    if (!line) return tl::unexpected(line.error());
    if (!*line) return fail(ErrorCode::unavailable, "welcomed ended before it answered");
    auto reply = control::parse_reply(**line);
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
}

Result<nlohmann::json> ask(const std::filesystem::path& socket, control::CommandId command,
                           nlohmann::json arguments, const Listener& listener) {
  return ask(socket, {std::string(control::command(command).name), std::move(arguments)}, listener);
}

}  // namespace welcome::ctl
