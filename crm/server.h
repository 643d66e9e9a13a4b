// SPDX-License-Identifier: Apache-2.0
#pragma once
// `welcome-crm serve`: one loop over the broker's connection and the database's wake-ups.
//
//   messages in → written down, committed, then acknowledged → acted on (Intake)
//   hello       → what the box lacks: nothing, a delta, or a snapshot in parts
//   any change  → deltas to every box that is there, at once, consent first
//   controls    → the broker, which retains them; each instance sends each
//
// Several instances may share one PostgreSQL and one fleet (`share`): who first writes down that a
// box was told sends it. What is lost on the way heals: every box is
// regularly told where the feed stands, and a box that is not there says hello. One thread, which
// owns everything.

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "crm/boxes.h"
#include "crm/crm.h"
#include "crm/database.h"
#include "crm/intake.h"
#include "crm/lane.h"
#include "crm/lookups.h"
#include "crm/trails.h"
#include "crm/wall_clock.h"
#include "mqtt/client.h"

namespace welcome::crm {

struct ServeConfig {
  mqtt::ClientConfig broker;
  std::string share;  // several instances: the name of their shared subscription
  std::chrono::seconds heartbeat{30};
  std::function<void()> changed;  // something may have, in the database; called from run()
};

// What runs beside it, as long as it is there.
class Beside {
 public:
  virtual ~Beside() = default;
  Beside() = default;
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  // Something may have changed in the database. Any thread.
  virtual void changed() = 0;
};

struct ServeCounters {
  std::uint64_t events = 0, repeated_events = 0;
  std::uint64_t refused = 0;                       // messages that break the contract
  std::uint64_t strangers = 0;                     // messages of boxes that nobody admitted
  std::uint64_t keys_refused = 0;                  // a box says another key than the trusted one
  std::uint64_t lookups = 0, lookups_refused = 0;  // of members, by desks; too many of one box
  std::uint64_t hellos = 0, deltas = 0, snapshots = 0;
  std::uint64_t set_back = 0;        // a box was ahead of this database
  std::uint64_t boxes_set_back = 0;  // a box's store is older than it was
  std::uint64_t sent = 0, undeliverable = 0;
  std::uint64_t too_large = 0;  // items of the feed that no message can carry
};

class Server {
 public:
  // Throws when another serve is using a database that takes only one.
  Server(Database& db, SigningKeys keys, ServeConfig config);

  // Until `stop_fd` becomes readable. Throws DatabaseError when the database fails: nothing that
  // was not committed has been acknowledged, so starting again continues where it was.
  void run(int stop_fd);

  // Every counter by its name, those of Intake too.
  json counted() const;

 private:
  using Steady = std::chrono::steady_clock::time_point;
  using Batches = std::vector<std::shared_ptr<const Parcel>>;
  // What the broker says of it later: batches of the feed have their size, negative.
  static constexpr std::int64_t kAnything = 0;
  static constexpr std::int64_t kControl = 1;

  // Signed, where there is a key; `head` is where the feed stands now.
  Batches packed(const Position& head, std::vector<contract::FeedBatch> batches,
                 const Scope& scope);
  std::string name_of(const Scope& scope) const;
  Batches beat(Collection collection, const Position& head, const Scope& scope);
  Batches delta_since(std::int64_t seq, Collection collection, const Position& head,
                      const Scope& scope);
  std::size_t batch_bytes() const;
  void published(std::int64_t tag, std::uint8_t reason);

  void process_received();
  bool may_speak(const contract::FromBox& from);
  void on_state(const contract::BoxAddress& box, const contract::BoxState& state, bool retained);
  void on_key(const contract::BoxAddress& box, const contract::BoxState& state);
  void on_hello(const contract::BoxAddress& box, const contract::Hello& hello);
  void offer_keys(const BoxKey& box);
  void say_region(const BoxKey& box, const std::string& region);
  void say_releases();
  void help_with_keys(const BoxKey& box, const Crm::Believed& has);
  void on_lookup(const contract::BoxAddress& box, const contract::Lookup& lookup);
  void on_audit(const contract::BoxAddress& box, const contract::AuditWord& word);
  void note_confirmed(const BoxKey& box, const contract::Hello& hello);
  bool is_ahead(const BoxKey& box, const contract::Hello& hello);
  void set_back(const BoxKey& box);
  void bring_up_to_date(const BoxKey& box, Collection collection,
                        const std::optional<Position>& have);
  void write_status();
  void see_box(const BoxKey& box, const std::string& state, std::int64_t session,
               const std::string& version);
  void forget_told(const BoxKey& box);
  void tell(const BoxKey& box, const Batches& batches);
  Batches snapshot_of(Collection collection, const Position& head, const Scope& scope);
  // How far a box was told a collection.
  struct Told {
    BoxKey box;
    Collection collection = Collection::policy;
    std::string epoch;
    std::int64_t seq = 0;
  };
  // Those alone that the whole collection has gone past, or that are in a part of it. Of staff
  // every box has a part: they are looked at when somebody came, went or changed.
  std::vector<Told> told_otherwise(bool with_staff);
  static std::vector<Told> behind(Heads& heads, std::vector<Told> told);
  void forget_snapshots(const std::pair<Collection, Scope>& but);
  void forget_old_epochs(Heads& heads, const std::vector<Told>& told);
  void push_changes();
  void push_commands();
  void heartbeat();
  bool still_admitted(const BoxKey& box);
  bool let_age();
  void look_for_controls();
  void send_all_controls();
  void send_controls(std::uint64_t after);
  void send_taken();
  void let_go(const std::vector<contract::FromBox>& leaving);
  void send();
  void publish(const contract::Message& message, std::int64_t tag);
  void let_arrive();
  contract::BoxAddress address(const BoxKey& box) const;

  Database& db_;
  Crm crm_;
  Boxes boxes_;
  Trails trails_;
  Lookups lookups_;
  Intake intake_;
  ServeConfig config_;
  ServeCounters counters_;
  mqtt::Client client_;

  std::vector<mqtt::Publish> received_;
  Lane urgent_, bulk_;
  std::deque<contract::Message> commands_;
  std::set<BoxKey> not_let_go_;                    // their word did not count, and the log says so
  std::map<BoxKey, std::deque<MessageId>> taken_;  // in the ledger, and the box is to be told
  std::map<BoxKey, contract::Taken::AuditQuestion> asks_;  // goes with the next of these
  std::map<BoxKey, contract::Taken::Keys> keys_;           // and these
  std::map<BoxKey, contract::Taken::Region> regions_;
  std::map<BoxKey, contract::Taken::Update> releases_;
  bool releases_due_ = false;  // some box does not know what it is to run
  struct Snapshot {
    Position at;
    std::string key;  // that signed it
    Steady made;
    Batches batches;
    // May be sent again as it is.
    bool good(const Position& head, const std::string& signed_by, Steady now) const;
  };
  std::map<std::pair<Collection, Scope>, Snapshot> snapshots_;  // the newest, for the next box
  std::map<std::pair<Collection, Scope>, Snapshot> beats_;      // of what has not changed since
  Position staff_;                                              // that every box was told
  std::size_t taken_bytes_ = SIZE_MAX;  // a broker that says no limit may have one nevertheless
  std::set<BoxKey> admitted_;           // of those asked for since the database changed
  bool controls_due_ = false;           // all of them
  std::uint64_t sent_control_ = 0;      // the newest that was sent
  std::string controls_key_;            // that signed them
  int controls_refused_ = 0;            // since all were sent
  Steady next_heartbeat_, next_controls_, next_epoch_, next_ageing_;
  WallTime started_ = wall_now();
  std::string why_down_ = "not connected yet";
};

}  // namespace welcome::crm
