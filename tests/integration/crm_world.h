// SPDX-License-Identifier: Apache-2.0
#pragma once
// welcome-crm as a process of its own, and a box that is nothing but the real sync code.

#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "contract/signing.h"
#include "sync/feed.h"
#include "tests/integration/link_broker.h"
#include "tests/integration/link_peer.h"

namespace welcome::testing {

using nlohmann::json;

inline const std::string kCrmProgram = WELCOME_CRM_PROGRAM;

class CrmProcess {
 public:
  // `database`: empty for a SQLite file of its own. `line`: options of `serve` that lead to the
  // broker; empty: without TLS. `keys`: folder of the signing keys that instances share.
  explicit CrmProcess(const Broker& broker, std::string database = "",
                      std::vector<std::string> line = {}, std::string keys = "")
      : database_(database.empty() ? (dir_ / "crm.db").string() : std::move(database)),
        keys_(std::move(keys)),
        line_(std::move(line)) {
    if (keys_.empty()) keys_ = (dir_ / "crm.db.keys").string();
    if (line_.empty()) line_ = {"--broker", "mqtt://127.0.0.1:" + std::to_string(broker.port())};
  }

  const std::string& database() const { return database_; }
  const std::string& keys() const { return keys_; }
  int command(std::vector<std::string> words) {
    words.insert(words.begin(), {kCrmProgram, "--database", database_, "--signing-keys", keys_});
    return run_program(words);
  }
  // What a command prints with --json.
  std::string output(const std::string& words) {
    return output_of(kCrmProgram + " --database '" + database_ + "' --signing-keys '" + keys_ +
                     "' --json " + words);
  }
  std::vector<json> ledger() {
    std::vector<json> out;
    std::istringstream lines(output("ledger"));
    for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
    return out;
  }

  // What a customer's page shows, also what it shows no more: offers and questions, oldest first.
  json shown(const std::string& customer) {
    return json::parse(output("customer export " + customer)).at("shown");
  }

  // A shop with one customer who gave everything, one campaign and a policy.
  void fill() {
    const auto file = [&](const char* name, const std::string& text) {
      std::ofstream(dir_ / name) << text;
      return (dir_ / name).string();
    };
    ASSERT_EQ(command({"init", "--tenant", "demo", "--controller", "Aroma Ltd"}), 0);
    ASSERT_EQ(command({"boxes", "admit", "aroma-1/box-1"}), 0);
    std::string consents = "customer,purpose,state,at\n";
    for (const Purpose purpose : kAllPurposes) {
      consents += "c-paul," + std::string(to_string(purpose)) + ",given,2026-01-12T09:30:00Z\n";
    }
    ASSERT_EQ(
        command({"import", file("customers.csv", "customer,app_id,name\nc-paul,a-paul,Paul\n"),
                 file("consents.csv", consents),
                 file("policy.json", R"({"policy":{"time_zone":"UTC"}})"),
                 file("campaigns.json",
                      R"({"campaigns":[{"campaign":"k-espresso","name":"Espresso",
                          "trigger":{"on":"pass_by"},"variants":[{"id":"a",
                          "title":{"en":"An espresso?"},"text":{"en":"It is on us."}}]}]})")}),
        0);
  }

  void serve(std::vector<std::string> more = {}) {
    std::vector<std::string> words{kCrmProgram,      "--database", database_,
                                   "--signing-keys", keys_,        "serve"};
    words.insert(words.end(), line_.begin(), line_.end());
    words.insert(words.end(), more.begin(), more.end());
    process_ = std::make_unique<Process>(std::move(words), (dir_ / "serve.log").string());
  }
  // As Process::stop(); 0 when it does not run.
  int stop(int signal = SIGTERM) { return process_ ? process_->stop(signal) : 0; }

 private:
  TempDir dir_;
  std::string database_;
  std::string keys_;
  std::vector<std::string> line_;
  std::unique_ptr<Process> process_;
};

// Keeps what the feed brings, as a box would, and says hello when something is missing.
class ModelBox : sync::ReplicaView {
 public:
  explicit ModelBox(const Broker& broker, const std::string& name = "box-1",
                    const std::array<std::uint8_t, 32>& seed = {},
                    const std::string& store = "aroma-1")
      : address_{"demo", store, name},
        signer_(name, seed),
        peer_(config(broker)),
        receiver_(*this) {}

  bool connect() {
    if (!peer_.wait_up()) return false;
    hello();
    return true;
  }
  void hello() {
    publish(contract::encode_hello(address_, word(false)));
    ++hellos;
  }
  // That it has come this far, as a box says it.
  void confirm() { publish(contract::encode_hello(address_, word(true))); }
  void publish(const contract::Message& message) {
    while (!peer_.link().publish(message, ++tag_)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  void event(const std::string& id, const std::string& customer, contract::EventData data) {
    publish(contract::encode_event(
        address_,
        {MessageId(id),
         std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
         CustomerId(customer),
         std::move(data),
         {}},
        &signer_));
  }
  void offer(const std::string& id, const std::string& decision) {
    contract::OfferNews news;
    news.decision = DecisionId(decision);
    news.visit = VisitId("v");
    news.campaign = CampaignId("k-espresso");
    news.variant = "a";
    news.language = "en";
    news.title = "An espresso?";
    news.text = "It is on us.";
    news.expires_at = std::chrono::floor<std::chrono::milliseconds>(
        std::chrono::system_clock::now() + std::chrono::minutes(10));
    event(id, "c-paul", news);
  }

  // Takes in what has come until `done` says so.
  bool until(const std::function<bool(ModelBox&)>& done,
             std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
      take_in();
      if (done(*this)) return true;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      // Some conditions change without a message to this box.
      peer_.wait([this](const Peer& peer) { return peer.messages.size() > next_; },
                 std::min(left, std::chrono::milliseconds(100)));
    }
  }
  bool has(contract::Collection collection, const std::string& key) const {
    return seq_of(collection, key).has_value();
  }
  std::size_t count(contract::Collection collection) const {
    const auto found = items_.find(collection);
    return found == items_.end() ? 0 : found->second.size();
  }
  std::string value(contract::Collection collection, const std::string& key) const {
    return items_.at(collection).at(key).second;
  }
  // Does any consent record of the purpose end with this state?
  bool consent_is(const std::string& purpose, const std::string& state) {
    for (const auto& [key, item] : items_[contract::Collection::consents]) {
      const json record = json::parse(item.second);
      if (record.at("purpose") == purpose) {
        return record.at("history").back().at("state") == state;
      }
    }
    return false;
  }

  const std::string& region() const { return region_; }
  Peer& peer() { return peer_; }
  const contract::BoxAddress& address() const { return address_; }

  int hellos = 0;
  bool confirms = true;
  int lose = 0;  // so many feed messages with items are lost on the way
  std::vector<contract::Command> commands;
  std::vector<contract::Control> controls;

 private:
  contract::Hello word(bool confirming) const {
    contract::Hello out{1, "0.1.0", receiver_.have(), control_, confirming};
    out.region = region_;
    return out;
  }
  sync::LinkConfig config(const Broker& broker) const {
    sync::LinkConfig out;
    out.port = broker.port();
    out.client_id = address_.store + "-" + address_.box;
    out.backoff_first = std::chrono::milliseconds(100);
    out.backoff_max = std::chrono::milliseconds(400);
    const auto topics = contract::Subscriptions::box_uplink(address_);
    out.subscriptions.assign(topics.begin(), topics.end());
    out.birth =
        contract::encode_state(address_, {contract::LinkState::online, 1, "0.1.0", WallTime{},
                                          contract::public_key_text(signer_.public_key())});
    out.will =
        contract::encode_state(address_, {contract::LinkState::offline, 1, "0.1.0", WallTime{}});
    return out;
  }

  void take_in() {
    std::vector<contract::RawMessage> fresh;
    peer_.wait(
        [&](const Peer& peer) {
          fresh.assign(peer.messages.begin() + static_cast<std::ptrdiff_t>(next_),
                       peer.messages.end());
          next_ = peer.messages.size();
          return true;
        },
        std::chrono::milliseconds(0));
    for (const contract::RawMessage& raw : fresh) {
      auto decoded = contract::decode_for_box(address_, raw);
      ASSERT_TRUE(decoded) << decoded.error().message;
      if (auto* batch = std::get_if<contract::FeedBatch>(&*decoded)) apply(std::move(*batch));
      if (auto* taken = std::get_if<contract::Taken>(&*decoded); taken && taken->region) {
        region_ = taken->region->name;
        came_further_ = true;
      }
      if (auto* command = std::get_if<contract::Command>(&*decoded)) commands.push_back(*command);
      if (auto* control = std::get_if<contract::Control>(&*decoded)) {
        controls.push_back(*control);
        control_ = std::max(control_, control->seq);
        came_further_ = true;
      }
    }
    if (std::exchange(came_further_, false) && confirms) confirm();
  }

  void apply(contract::FeedBatch batch) {
    if (!batch.items.empty() && lose > 0) {
      --lose;
      return;
    }
    const sync::FeedPlan plan = receiver_.plan(std::move(batch));
    if (plan.verdict == sync::FeedVerdict::gap) {
      hello();
      return;
    }
    if (plan.verdict != sync::FeedVerdict::apply) return;
    auto& items = items_[plan.collection];
    for (const contract::FeedItem& item : plan.items) {
      if (item.deleted) {
        items.erase(item.key);
      } else {
        items[item.key] = {item.seq, item.value};
      }
    }
    for (const std::string& key : plan.sweep) items.erase(key);
    receiver_.committed(plan);
    came_further_ = came_further_ || plan.complete;
  }

  std::optional<std::uint64_t> seq_of(contract::Collection collection,
                                      std::string_view key) const override {
    const auto found = items_.find(collection);
    if (found == items_.end()) return std::nullopt;
    const auto item = found->second.find(std::string(key));
    if (item == found->second.end()) return std::nullopt;
    return item->second.first;
  }
  void for_each(contract::Collection collection,
                const std::function<void(std::string_view)>& visit) const override {
    const auto found = items_.find(collection);
    if (found == items_.end()) return;
    for (const auto& [key, item] : found->second) visit(key);
  }

  contract::BoxAddress address_;
  contract::Signer signer_;  // the box's own key
  Peer peer_;
  sync::FeedReceiver receiver_;
  std::map<contract::Collection, std::map<std::string, std::pair<std::uint64_t, std::string>>>
      items_;
  std::uint64_t control_ = 0;
  std::string region_;
  bool came_further_ = false;
  std::size_t next_ = 0;
  std::int64_t tag_ = 0;
};

}  // namespace welcome::testing
