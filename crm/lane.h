// SPDX-License-Identifier: Apache-2.0
#pragma once
// Messages of the feed that wait for the broker, fairly over the boxes. One thread.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "contract/topics.h"
#include "crm/scope.h"

namespace welcome::crm {

// A batch of the feed, put into JSON once for all boxes.
struct Parcel {
  contract::Collection collection;
  std::string epoch;
  std::uint64_t to_seq;
  std::string payload;
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
