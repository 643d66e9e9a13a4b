// SPDX-License-Identifier: Apache-2.0
#include "mqtt/lookup.h"

#include <cstring>
#include <mutex>
#include <netdb.h>
#include <stdexcept>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

namespace welcome::mqtt {

struct Lookup::Shared {
  Shared() : fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd < 0) throw std::runtime_error("no file descriptor is left for a name look-up");
  }
  ~Shared() { ::close(fd); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  const int fd;
  std::mutex mutex;
  bool finished = false;
  std::vector<Address> addresses;
};

Lookup::Lookup(const std::string& host, std::uint16_t port) : shared_(std::make_shared<Shared>()) {
  // Owns what it writes to: it may outlive the Lookup by as long as a resolver is silent.
  std::thread([shared = shared_, host, port] {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    std::vector<Address> addresses;
    if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) == 0) {
      for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        Address address;
        std::memcpy(&address.bytes, one->ai_addr, one->ai_addrlen);
        address.size = one->ai_addrlen;
        addresses.push_back(address);
      }
      freeaddrinfo(found);
    }
    const std::lock_guard lock(shared->mutex);
    shared->addresses = std::move(addresses);
    shared->finished = true;
    const std::uint64_t one = 1;
    // The counter is 0: nothing can keep this from being written.
    [[maybe_unused]] const ssize_t written = ::write(shared->fd, &one, sizeof one);
  }).detach();
}

Lookup::~Lookup() = default;

int Lookup::fd() const { return shared_->fd; }

bool Lookup::finished() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->finished;
}

std::vector<Address> Lookup::addresses() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->addresses;
}

}  // namespace welcome::mqtt
