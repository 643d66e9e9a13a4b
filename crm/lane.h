// SPDX-License-Identifier: Apache-2.0
#pragma once
// Messages of the feed that wait for the broker, fairly over the boxes. One thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "contract/contract.h"
#include "contract/signing.h"
#include "crm/scope.h"

namespace welcome::crm {

// A batch of the feed. It is put into JSON and signed once for all boxes, and not before the first
// of them is sent it: what is at the beginning of a snapshot does not wait for its end.
class Parcel {
 public:
  Parcel(contract::FeedBatch batch, std::shared_ptr<const contract::Signer> signer);

  contract::Collection collection() const { return batch_.collection; }
  const std::string& epoch() const { return batch_.epoch; }
  std::uint64_t to_seq() const { return batch_.to_seq; }
  const std::string& payload() const;
  // In memory, roughly.
  std::size_t bytes() const;

 private:
  mutable contract::FeedBatch batch_;  // without its items once the payload is there
  mutable std::shared_ptr<const contract::Signer> signer_;
  mutable std::string payload_;
};

class Lane {
 public:
  void add(const BoxKey& box, std::shared_ptr<const Parcel> parcel);
  bool empty() const { return turn_.empty(); }
  std::pair<BoxKey, std::shared_ptr<const Parcel>> take();
  void drop(const BoxKey& box);
  void clear();

 private:
  std::map<BoxKey, std::deque<std::shared_ptr<const Parcel>>> waiting_;
  std::deque<BoxKey> turn_;
};

}  // namespace welcome::crm
