// SPDX-License-Identifier: Apache-2.0
#pragma once
// HciTransport: whole HCI packets to and from a controller. Non-blocking; one thread.
// Packets carry their H4 type in the first byte (Core Specification, Vol 4, Part A, 2).

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "beacon/advert.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome::beacon {

class HciTransport {
 public:
  virtual ~HciTransport() = default;
  virtual int fd() const = 0;  // readable when receive() has something
  virtual Result<void> send(std::span<const std::uint8_t> packet) = 0;
  // Appends what has arrived by now; fails as unavailable when the controller is gone.
  virtual Result<void> receive(std::vector<std::vector<std::uint8_t>>& packets, MonoTime now) = 0;
  // How often bytes were lost on the way so far: an answer may have been among them.
  virtual std::uint64_t losses() const { return 0; }
};

using OpenTransport = std::function<Result<std::unique_ptr<HciTransport>>()>;

// An adapter as Linux knows it. Its number is the order in which it came, and another one after the
// next boot; its address stays.
struct LinuxAdapter {
  std::uint16_t number;  // N of hciN
  Address address;
};
// Those that are there now. Any thread; needs no capability.
Result<std::vector<LinuxAdapter>> linux_adapters();
// "hci0 (00:1A:7D:DA:71:13)" and so on, for messages; "none" without any.
std::string describe(const std::vector<LinuxAdapter>& adapters);

using AdapterName = std::variant<std::uint16_t, Address>;
// Linux HCI_CHANNEL_USER: takes the adapter down and for itself; needs CAP_NET_ADMIN, no
// bluetoothd. An address is looked up each time.
Result<std::unique_ptr<HciTransport>> open_user_channel(const AdapterName& name);
// H4 over a serial line or pty. `baud` 0 leaves the speed as it is.
Result<std::unique_ptr<HciTransport>> open_h4_line(const std::filesystem::path& device,
                                                   unsigned baud, bool flow_control);
// H4 over a Unix stream socket.
Result<std::unique_ptr<HciTransport>> open_h4_socket(const std::filesystem::path& socket);

}  // namespace welcome::beacon
