// SPDX-License-Identifier: Apache-2.0
#pragma once
// A Link whose events are collected, and waited for.

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sync/link.h"
#include "tests/integration/link_broker.h"

namespace welcome::testing {

inline const contract::BoxAddress kBox{"demo", "aroma-1", "box-1"};

// A client of this broker that comes back quickly.
inline sync::LinkConfig config_for(const Broker& broker, const std::string& client) {
  sync::LinkConfig config;
  config.port = broker.port();
  config.client_id = client;
  config.backoff_first = std::chrono::milliseconds(100);
  config.backoff_max = std::chrono::milliseconds(400);
  return config;
}

class Peer {
 public:
  explicit Peer(sync::LinkConfig config)
      : link_(std::move(config), [this](sync::LinkEvent event, sync::Receipt receipt) {
          take(std::move(event), std::move(receipt));
        }) {
    link_.start();
  }

  sync::Link& link() { return link_; }

  // Waits until `done` says so about what has come so far.
  bool wait(const std::function<bool(const Peer&)>& done,
            std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return done(*this); });
  }
  bool wait_up(int times = 1) {
    return wait([times](const Peer& peer) { return peer.ups >= times; });
  }
  bool wait_down(int times = 1, std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    return wait([times](const Peer& peer) { return peer.downs.size() >= std::size_t(times); },
                patience);
  }
  bool wait_messages(std::size_t count,
                     std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    return wait([count](const Peer& peer) { return peer.messages.size() >= count; }, patience);
  }
  std::optional<contract::RawMessage> last_on(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    for (auto it = messages.rbegin(); it != messages.rend(); ++it) {
      if (it->topic == topic) return *it;
    }
    return std::nullopt;
  }

  // Read inside wait(), or after the link was stopped.
  int ups = 0;
  std::size_t receive_maximum = 0;
  std::vector<sync::LinkDown> downs;
  std::vector<std::int64_t> acked;
  std::vector<sync::Refused> refused;
  std::vector<contract::RawMessage> messages;
  std::vector<sync::Receipt> receipts;
  bool keeps_receipts = false;  // and the broker does not hear that anything was taken

 private:
  void take(sync::LinkEvent event, sync::Receipt receipt) {
    const std::lock_guard lock(mutex_);
    if (const auto* up = std::get_if<sync::LinkUp>(&event)) {
      ++ups;
      receive_maximum = up->receive_maximum;
    } else if (auto* down = std::get_if<sync::LinkDown>(&event)) {
      downs.push_back(*down);
    } else if (const auto* ack = std::get_if<sync::Acked>(&event)) {
      acked.push_back(ack->tag);
    } else if (const auto* no = std::get_if<sync::Refused>(&event)) {
      refused.push_back(*no);
    } else {
      messages.push_back(std::get<contract::RawMessage>(std::move(event)));
      if (keeps_receipts) receipts.push_back(std::move(receipt));
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  sync::Link link_;  // last: its threads end before what they write to
};

}  // namespace welcome::testing
