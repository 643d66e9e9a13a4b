// SPDX-License-Identifier: Apache-2.0
#pragma once
// A box that is nothing but the real sync code: Link, codec and FeedReceiver over a replica that
// holds sequence numbers only. The main thread owns it; its link posts to the shared mailbox.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "contract/contract.h"
#include "contract/signing.h"
#include "sync/feed.h"
#include "sync/link.h"

namespace welcome::fleet {

// Filled by the links' threads, emptied by the main thread.
class Mailbox {
 public:
  struct Letter {
    std::size_t box = 0;
    sync::LinkEvent event;
  };
  void post(std::size_t box, sync::LinkEvent event);
  std::deque<Letter> take(std::chrono::milliseconds patience);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Letter> letters_;
};

class SimBox : sync::ReplicaView {
 public:
  SimBox(std::size_t index, std::uint16_t broker_port, Mailbox& mailbox);

  void start() { link_->start(); }
  void handle(sync::LinkEvent event);

  bool up() const { return up_; }
  bool synced() const { return synced_ == contract::kAllCollections.size(); }
  bool has(contract::Collection collection, const std::string& key) const {
    return seq_of(collection, key).has_value();
  }
  int ups() const { return ups_; }
  int gaps() const { return gaps_; }
  const std::string& erased() const { return erased_; }  // the last erasure that was confirmed

 private:
  void hello();
  void apply(contract::FeedBatch batch);
  void erase(const contract::Command& command);
  std::optional<std::uint64_t> seq_of(contract::Collection collection,
                                      std::string_view key) const override;
  void for_each(contract::Collection collection,
                const std::function<void(std::string_view)>& visit) const override;

  contract::BoxAddress address_;
  const contract::Signer signer_{address_.box, contract::Signer::new_seed()};
  std::map<contract::Collection, std::unordered_map<std::string, std::uint64_t>> items_;
  sync::FeedReceiver receiver_;
  bool up_ = false;
  int ups_ = 0, gaps_ = 0;
  std::size_t synced_ = 0;  // collections told about since the connection is up
  std::map<contract::Collection, bool> told_;
  std::int64_t tag_ = 0;
  std::string erased_;
  std::unique_ptr<sync::Link> link_;  // last: its threads end before what they write to
};

}  // namespace welcome::fleet
