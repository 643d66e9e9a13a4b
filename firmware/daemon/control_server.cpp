// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/control_server.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <deque>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>

namespace welcome::daemon {

namespace asio = boost::asio;
using Stream = asio::local::stream_protocol;
using boost::system::error_code;

namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr int kMaxClients = 16;

}  // namespace

struct ControlServer::State : std::enable_shared_from_this<ControlServer::State> {
  State(asio::io_context& io, Handler h) : loop(io), acceptor(io), handler(std::move(h)) {}

  void accept();

  asio::io_context& loop;
  Stream::acceptor acceptor;
  Handler handler;
  std::filesystem::path path;
  int clients = 0;
  std::uint64_t refused = 0;
};

namespace {

// One connection; lives as long as a read, a write or a handler holds it.
class Session : public Answer, public std::enable_shared_from_this<Session> {
 public:
  Session(Stream::socket socket, std::shared_ptr<ControlServer::Handler> handler,
          std::function<void(bool refused)> ended)
      : socket_(std::move(socket)),
        patience_(socket_.get_executor()),
        handler_(std::move(handler)),
        ended_(std::move(ended)) {}
  ~Session() override { ended_(refused_); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() {
    lose_patience();
    error_code e;
    socket_.native_non_blocking(true, e);
    await_more();
  }

  void progress(std::string_view text) override { send(control::encode_progress(text), false); }
  void part(const nlohmann::json& part) override { send(control::encode_part(part), false); }
  void data(const nlohmann::json& data) override { send(control::encode_data(data), true); }
  void error(std::string_view message) override { send(control::encode_error(message), true); }
  bool stopped() const override { return stopped_; }
  std::size_t backlog() const override { return backlog_; }

 private:
  // A client that neither speaks nor listens keeps no place.
  void lose_patience() {
    patience_.expires_after(kPatience);
    patience_.async_wait([weak = weak_from_this()](error_code e) {
      const auto self = weak.lock();
      if (e || !self) return;
      self->refused_ = true;
      self->close();
    });
  }

  void await_more() {
    socket_.async_wait(Stream::socket::wait_read,
                       [self = shared_from_this()](error_code e) { self->take_more(e); });
  }

  // With recvmsg: what asio reads loses a file that came along.
  void take_more(error_code e) {
    if (e) return give_up();
    std::array<char, 16 * 1024> chunk;
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(8 * sizeof(int))> control;
    iovec part{chunk.data(), chunk.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got =
        ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return await_more();
    if (got <= 0) return give_up();
    keep_file(message);
    const std::size_t before = input_.size();
    input_.append(chunk.data(), static_cast<std::size_t>(got));
    const auto end = input_.find('\n', before);
    if (end != std::string::npos) return on_request(end + 1);
    if (input_.size() >= control::kMaxRequestBytes) {
      give_up();
      return error("request too long");
    }
    await_more();
  }

  // The first is kept; whatever else comes is closed.
  void keep_file(msghdr& message) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        auto file = control::own(fd);
        if (!file_) file_ = std::move(file);
      }
    }
  }

  void give_up() {
    patience_.cancel();
    refused_ = true;
  }

  void on_request(std::size_t bytes) {
    patience_.cancel();
    auto request = control::parse_request(std::string_view(input_).substr(0, bytes));
    if (!request) {
      refused_ = true;
      error(request.error().message);
      return;
    }
    request->file = std::move(file_);
    request->by_root = by_root();
    await_end();
    try {
      (*handler_)(*request, shared_from_this());
    } catch (const std::exception& thrown) {
      error(thrown.what());  // one question must not end the daemon
    }
  }

  bool by_root() {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == ::getuid());
  }

  // After the request the client has nothing more to say: whatever comes is the end. Does not keep
  // the session alive.
  void await_end() {
    socket_.async_wait(Stream::socket::wait_read, [weak = weak_from_this()](error_code) {
      if (const auto self = weak.lock()) self->stopped_ = true;
    });
  }

  void send(std::string line, bool last) {
    if (finished_) return;
    finished_ = last;
    const bool idle = output_.empty();
    backlog_ += line.size();
    output_.push_back(std::move(line));
    if (idle) write();
  }

  void write() {
    lose_patience();
    asio::async_write(socket_, asio::buffer(output_.front()),
                      [self = shared_from_this()](error_code e, std::size_t) {
                        self->patience_.cancel();
                        self->backlog_ -= self->output_.front().size();
                        self->output_.pop_front();
                        if (e) {
                          self->output_.clear();
                          self->backlog_ = 0;
                          self->finished_ = self->stopped_ = true;
                          return;
                        }
                        if (!self->output_.empty()) {
                          self->write();
                        } else if (self->finished_) {
                          self->close();
                        }
                      });
  }

  void close() {
    error_code ignored;
    socket_.shutdown(Stream::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

  Stream::socket socket_;
  asio::steady_timer patience_;
  std::shared_ptr<ControlServer::Handler> handler_;
  std::function<void(bool)> ended_;
  std::string input_;
  control::OpenFile file_;  // that came with it
  std::deque<std::string> output_;
  std::size_t backlog_ = 0;
  bool finished_ = false;
  bool refused_ = false;
  bool stopped_ = false;
};

}  // namespace

void ControlServer::State::accept() {
  acceptor.async_accept([self = shared_from_this()](error_code e, Stream::socket socket) {
    if (e == asio::error::operation_aborted) return;
    if (!e && self->clients >= kMaxClients) {
      ++self->refused;  // the socket closes here
    } else if (!e) {
      ++self->clients;
      std::make_shared<Session>(std::move(socket), std::shared_ptr<Handler>(self, &self->handler),
                                [weak = std::weak_ptr(self)](bool was_refused) {
                                  if (const auto state = weak.lock()) {
                                    --state->clients;
                                    state->refused += was_refused ? 1 : 0;
                                  }
                                })
          ->start();
    }
    self->accept();
  });
}

ControlServer::ControlServer(asio::io_context& loop, const std::filesystem::path& path,
                             Handler handler)
    : state_(std::make_shared<State>(loop, std::move(handler))) {
  state_->path = path;
  std::filesystem::create_directories(path.parent_path());
  std::filesystem::remove(path);
  const Stream::endpoint endpoint(path.string());
  state_->acceptor.open();
  const mode_t before = ::umask(0117);
  error_code bound;
  state_->acceptor.bind(endpoint, bound);
  ::umask(before);
  if (bound) throw std::system_error(bound.value(), std::system_category(), path.string());
  state_->acceptor.listen();
  state_->accept();
}

ControlServer::~ControlServer() {
  error_code ignored;
  state_->acceptor.close(ignored);
  std::error_code gone_already;
  std::filesystem::remove(state_->path, gone_already);
}

std::uint64_t ControlServer::refused() const { return state_->refused; }

}  // namespace welcome::daemon
