// SPDX-License-Identifier: Apache-2.0
#pragma once
// The radio as a source: HciHost on a transport, on a thread of its own, opened again with a
// growing pause for as long as the adapter is away. The clock comes from outside.

#include <functional>
#include <memory>

#include "beacon/hci_host.h"
#include "beacon/hci_transport.h"
#include "beacon/source.h"

namespace welcome::beacon {

struct HciSourceConfig {
  HciHostConfig host;
  std::chrono::milliseconds first_pause{250};
  std::chrono::milliseconds longest_pause{2000};  // so that it hears again ≤ 5 s after coming back
  // What ran for less before it failed is tried again with a growing pause.
  std::chrono::milliseconds steady_after{10000};
};

// `clock` is called on the source's thread.
std::unique_ptr<AdvertSource> make_hci_source(HciSourceConfig config, OpenTransport open,
                                              std::function<Now()> clock);

}  // namespace welcome::beacon
