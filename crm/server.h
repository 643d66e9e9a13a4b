#pragma once
// `welcome-crm serve`: one loop over the broker's connection and the database's wake-ups.
//
//   messages in → written down, committed, then acknowledged → acted on (Intake)
//   hello       → what the box lacks: nothing, a delta, or a snapshot in parts
//   any change  → deltas to every box that is there, at once, consent first
//   outbox      → the broker; a row goes when the broker has the message
//
// Several instances may share one PostgreSQL and one fleet (`share`): who first writes down that a
// box was told, or takes a row of the outbox, sends it. What is lost on the way heals: every box is
// regularly told where the feed stands, and a box that is not there says hello. One thread, which
// owns everything.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crm/crm.h"
#include "crm/database.h"
#include "crm/intake.h"
#include "mqtt/client.h"

namespace welcome::crm {

struct ServeConfig {
  mqtt::ClientConfig broker;
  std::string share;  // several instances: the name of their shared subscription
  std::chrono::seconds heartbeat{30};
};

struct ServeCounters {
  std::uint64_t events = 0, repeated_events = 0;
  std::uint64_t requests = 0, repeated_requests = 0;
  std::uint64_t refused = 0;       // messages that break the contract
  std::uint64_t keys_refused = 0;  // a box says another key than the trusted one
  std::uint64_t hellos = 0, deltas = 0, snapshots = 0;
  std::uint64_t sent = 0, expired = 0, undeliverable = 0;
};

class Server {
 public:
  // Throws when another serve is using a database that takes only one.
  Server(Database& db, ServeConfig config);

  // Until `stop_fd` becomes readable. Throws DatabaseError when the database fails: nothing that
  // was not committed has been acknowledged, so starting again continues where it was.
  void run(int stop_fd);

  const ServeCounters& counters() const { return counters_; }
  std::uint64_t receipts_refused() const { return intake_.receipts_refused(); }

 private:
  using BoxKey = std::pair<std::string, std::string>;  // store, box
  using Steady = std::chrono::steady_clock::time_point;

  // A batch of the feed, put into JSON once for all boxes.
  struct Parcel {
    Collection collection;
    std::string epoch;
    std::uint64_t to_seq;
    std::string payload;
  };
  using Batches = std::vector<std::shared_ptr<const Parcel>>;
  static Batches packed(const std::vector<contract::FeedBatch>& batches);

  // Waiting messages, fairly over the boxes.
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

  void process_received();
  void on_state(const contract::BoxAddress& box, const contract::BoxState& state, bool retained);
  void on_key(const contract::BoxAddress& box, const std::string& said);
  void on_hello(const contract::BoxAddress& box, const contract::Hello& hello);
  void see_box(const BoxKey& box, const std::string& state, std::int64_t session,
               const std::string& version);
  void forget_told(const BoxKey& box);
  void tell(const BoxKey& box, const Batches& batches);
  Batches snapshot_of(Collection collection, const Position& head);
  void push_changes();
  void push_commands();
  void heartbeat();
  void send_controls();
  void send();
  void send_outbox();
  void publish(const contract::Message& message, std::int64_t tag);
  void send_outbox_shared();
  void publish_row(const Row& row);
  void drop_sent();
  contract::BoxAddress address(const BoxKey& box) const;

  Database& db_;
  Crm crm_;
  Intake intake_;
  ServeConfig config_;
  ServeCounters counters_;
  mqtt::Client client_;

  std::vector<mqtt::Publish> received_;
  Lane urgent_, bulk_;
  std::deque<contract::Message> commands_;
  std::map<Collection, std::pair<Position, Batches>> snapshots_;  // the newest, for the next box
  std::int64_t outbox_sent_ = 0;  // position up to which rows are in flight
  std::vector<std::int64_t> outbox_done_;
  bool controls_due_ = false;
  Steady next_heartbeat_, next_controls_;
};

}  // namespace welcome::crm
