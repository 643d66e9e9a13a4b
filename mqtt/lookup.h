// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lookup: all addresses of a host name, found on a thread of its own, because the C library's
// look-up has no time limit: who does not want to wait any longer just lets go of it.
//
// One thread owns it; fd() is readable once the answer is there.

#include <cstdint>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace welcome::mqtt {

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

class Lookup {
 public:
  Lookup(const std::string& host, std::uint16_t port);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  int fd() const;
  bool finished() const;
  // In the resolver's order (RFC 6724); empty: the name has none. Once finished.
  std::vector<Address> addresses() const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace welcome::mqtt
