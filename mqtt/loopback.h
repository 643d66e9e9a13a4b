// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether a broker is on this machine, so that what is said to it goes over no network. Any thread.

#include <arpa/inet.h>
#include <string>

namespace welcome::mqtt {

// A name that only looks like an address of ours is none.
inline bool on_this_machine(const std::string& host) {
  in_addr address{};
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && inet_pton(AF_INET, host.c_str(), &address) == 1);
}

}  // namespace welcome::mqtt
