// SPDX-License-Identifier: Apache-2.0
#include "crm/lane.h"

#include <utility>

namespace welcome::crm {

Parcel::Parcel(contract::FeedBatch batch, std::shared_ptr<const contract::Signer> signer)
    : batch_(std::move(batch)), signer_(std::move(signer)) {}

const std::string& Parcel::payload() const {
  if (payload_.empty()) {
    payload_ = contract::encode_feed({}, batch_, signer_.get()).payload;
    batch_.items = {};
    signer_.reset();
  }
  return payload_;
}

std::size_t Parcel::bytes() const {
  std::size_t sum = payload_.size();
  for (const contract::FeedItem& item : batch_.items) {
    sum += sizeof item + item.key.size() + item.value.size();
  }
  return sum;
}

void Lane::add(const BoxKey& box, std::shared_ptr<const Parcel> parcel) {
  auto& queue = waiting_[box];
  if (queue.empty()) turn_.push_back(box);
  queue.push_back(std::move(parcel));
}

std::pair<BoxKey, std::shared_ptr<const Parcel>> Lane::take() {
  const BoxKey box = turn_.front();
  turn_.pop_front();
  const auto found = waiting_.find(box);
  auto parcel = std::move(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) {
    waiting_.erase(found);
  } else {
    turn_.push_back(box);
  }
  return {box, std::move(parcel)};
}

void Lane::drop(const BoxKey& box) {
  waiting_.erase(box);
  std::erase(turn_, box);
}

void Lane::clear() {
  waiting_.clear();
  turn_.clear();
}

}  // namespace welcome::crm
