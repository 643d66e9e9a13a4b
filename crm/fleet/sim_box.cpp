// SPDX-License-Identifier: Apache-2.0
#include "crm/fleet/sim_box.h"

namespace welcome::fleet {

void Mailbox::post(std::size_t box, sync::LinkEvent event) {
  {
    const std::lock_guard lock(mutex_);
    letters_.push_back({box, std::move(event)});
  }
  changed_.notify_one();
}

std::deque<Mailbox::Letter> Mailbox::take(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [this] { return !letters_.empty(); });
  return std::exchange(letters_, {});
}

SimBox::SimBox(std::size_t index, std::uint16_t broker_port, Mailbox& mailbox)
    : address_{"fleet", "store-" + std::to_string(index), "box-1"}, receiver_(*this) {
  const auto state = [this](contract::LinkState what) {
    return contract::encode_state(
        address_, {what, 1, "fleet", WallTime{}, contract::public_key_text(signer_.public_key())});
  };
  sync::LinkConfig config;
  config.port = broker_port;
  config.client_id = address_.store + "-" + address_.box;
  const auto topics = contract::Subscriptions::box_uplink(address_);
  config.subscriptions.assign(topics.begin(), topics.end());
  config.birth = state(contract::LinkState::online);
  config.will = state(contract::LinkState::offline);
  link_ = std::make_unique<sync::Link>(
      std::move(config), [index, &mailbox](sync::LinkEvent event, const sync::Receipt&) {
        mailbox.post(index, std::move(event));
      });
}

void SimBox::handle(sync::LinkEvent event) {
  if (std::holds_alternative<sync::LinkUp>(event)) {
    up_ = true;
    ++ups_;
    synced_ = 0;
    told_.clear();
    receiver_.reset_snapshots();
    hello();
  } else if (std::holds_alternative<sync::LinkDown>(event)) {
    up_ = false;
    synced_ = 0;
  } else if (const auto* raw = std::get_if<contract::RawMessage>(&event)) {
    auto message = contract::decode_for_box(address_, *raw);
    if (!message) return;
    if (auto* batch = std::get_if<contract::FeedBatch>(&*message)) apply(std::move(*batch));
    if (const auto* command = std::get_if<contract::Command>(&*message)) erase(*command);
  }
}

void SimBox::hello() {
  link_->publish(contract::encode_hello(address_, {1, "fleet", receiver_.have()}), ++tag_);
}

void SimBox::apply(contract::FeedBatch batch) {
  const contract::Collection collection = batch.collection;
  const sync::FeedPlan plan = receiver_.plan(std::move(batch));
  if (plan.verdict == sync::FeedVerdict::gap) {
    ++gaps_;
    hello();
    return;
  }
  if (plan.verdict == sync::FeedVerdict::apply) {
    auto& items = items_[collection];
    for (const contract::FeedItem& item : plan.items) {
      if (item.deleted) {
        items.erase(item.key);
      } else {
        items[item.key] = item.seq;
      }
    }
    for (const std::string& key : plan.sweep) items.erase(key);
    receiver_.committed(plan);
  }
  // A duplicate says that nothing was missing.
  if ((plan.complete || plan.verdict == sync::FeedVerdict::duplicate) && !told_[collection]) {
    told_[collection] = true;
    ++synced_;
  }
}

void SimBox::erase(const contract::Command& command) {
  if (command.refused || command.kind != contract::Command::Kind::erase) return;
  contract::EventMessage receipt;
  receipt.id = MessageId(contract::new_uuid());
  receipt.time = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  receipt.data =
      ErasureReceipt{command.id, command.customer, {{"profiles", 1}}, receipt.time, true};
  if (link_->publish(contract::encode_event(address_, receipt, &signer_), ++tag_))
    erased_ = command.id.str();
}

std::optional<std::uint64_t> SimBox::seq_of(contract::Collection collection,
                                            std::string_view key) const {
  const auto items = items_.find(collection);
  if (items == items_.end()) return std::nullopt;
  const auto found = items->second.find(std::string(key));
  if (found == items->second.end()) return std::nullopt;
  return found->second;
}

void SimBox::for_each(contract::Collection collection,
                      const std::function<void(std::string_view name)>& visit) const {
  const auto items = items_.find(collection);
  if (items == items_.end()) return;
  for (const auto& [key, seq] : items->second) visit(key);
}

}  // namespace welcome::fleet
